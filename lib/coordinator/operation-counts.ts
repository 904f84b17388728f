/** What INFO says of client operations since start, or since CONFIG RESETSTAT. */
export class OperationCounts {
  reads = 0;
  writes = 0;
  /** Refused before anything happened: fewer usable replicas than asked for. */
  readFailures = 0;
  writeFailures = 0;
  /** Failed after something may have happened. */
  writesUncertain = 0;
  /** Acknowledged with the help of a hint. */
  writesSloppy = 0;
  /** Handed to another node to coordinate. */
  forwards = 0;
  /** Plain writes that went round again, because a replica held a winner they had not seen. */
  secondRounds = 0;
  readRepairs = 0;
  hintsDelivered = 0;
  /** Not reset: what is going on now. */
  repairsUnderWay = 0;

  reset(): void {
    this.reads = 0;
    this.writes = 0;
    this.readFailures = 0;
    this.writeFailures = 0;
    this.writesUncertain = 0;
    this.writesSloppy = 0;
    this.forwards = 0;
    this.secondRounds = 0;
    this.readRepairs = 0;
    this.hintsDelivered = 0;
  }
}
