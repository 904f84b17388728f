/** What INFO says of client operations since start, or since CONFIG RESETSTAT. */
export class OperationCounts {
  reads = 0;
  writes = 0;
  /** Refused before anything happened: fewer usable replicas than asked for. */
  readFailures = 0;
  writeFailures = 0;
  /** Failed after something may have happened. */
  writesUncertain = 0;

  reset(): void {
    this.reads = 0;
    this.writes = 0;
    this.readFailures = 0;
    this.writeFailures = 0;
    this.writesUncertain = 0;
  }
}
