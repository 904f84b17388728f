/** What links may cost and how long they may be silent. */

/** From the first byte, or the dialling, to the end of the handshake. */
export const handshakeMs = 3000;
/** A side that was told why it is refused has so long to read it. */
export const refusedMs = 1000;
/** Accepted links before their handshake is over; one more ends the oldest. */
export const unprovenLinksMax = 1024;

/** How often silence is looked at. */
export const pulseMs = 500;
/** A dialled link that has been silent for so long is asked whether anybody is there. */
export const pingAfterMs = 2000;
/** And it is half-open if it stays silent; all that runs on it would wait for ever. */
export const silenceMsMax = 5000;

/** A request may come so late after it was sent; older ones are refused (DESIGN 3.4). */
export const requestAgeMsMax = 60_000;

/** Bytes of one link that the network has not taken; beyond, calls are `overloaded`. */
export const unsentBytesMax = 64 * 1024 * 1024;
export const unansweredCallsMax = 20_000;
/** Requests of one link that are being handled; beyond, they are refused with BUSY. */
export const handledRequestsMax = 20_000;

/** Deadlines of calls are kept to this precision, so that many end in one look at them. */
export const deadlineStepMs = 10;

export const backoffMsMin = 50;
export const backoffMsMax = 1000;

/** A complaint that has not changed is repeated so often. */
export const complaintPeriodMs = 600_000;
export const complaintsMax = 1000;
