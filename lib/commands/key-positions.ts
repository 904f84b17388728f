/** Where the keys of a request lie, for the rows of the command table. */
import type { KeyPositions } from './command.ts';

/** `GET key` */
export const firstArgument: KeyPositions = { first: 1, last: 1, step: 1 };
/** `RENAME key newkey` */
export const firstTwoArguments: KeyPositions = { first: 1, last: 2, step: 1 };
/** `DEL key [key ...]` */
export const everyArgument: KeyPositions = { first: 1, last: -1, step: 1 };
/** `MSET key value [key value ...]` */
export const everySecondArgument: KeyPositions = { first: 1, last: -1, step: 2 };
/** `OBJECT ENCODING key` */
export const secondArgument: KeyPositions = { first: 2, last: 2, step: 1 };
