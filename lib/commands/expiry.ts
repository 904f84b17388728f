/**
 * Times to live. An expiry is an absolute instant, chosen here, once, from this node's wall clock;
 * one in the past deletes. Conditions are checked where the key lives.
 */
import { after } from '../base/later.ts';
import type { Visible } from '../updates/update.ts';
import { lookUp, update } from './access.ts';
import {
  argument,
  type ExpiryForm,
  expiryForms,
  expiryInstantOrPast,
  Options,
} from './arguments.ts';
import type { Command, Handler } from './command.ts';
import { firstArgument } from './key-positions.ts';

/** EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT. */
function expireBy(form: ExpiryForm, command: string): Handler {
  return (call, args) => {
    const condition = expireCondition(args);
    const nowMs = call.ports.system.clock.wallMs();
    const option = { form, text: argument(args, 2) };
    const expireAtMs = expiryInstantOrPast(option, nowMs, command);
    const change = { kind: 'expire', expireAtMs, condition } as const;
    return after(update(call, argument(args, 1), change), ({ applied }) => (applied ? 1 : 0));
  };
}

function expireCondition(args: readonly Buffer[]) {
  const options = new Options(args, 3);
  const condition = { nx: false, xx: false, gt: false, lt: false };
  while (!options.done) {
    if (options.take('nx')) condition.nx = true;
    else if (options.take('xx')) condition.xx = true;
    else if (options.take('gt')) condition.gt = true;
    else if (options.take('lt')) condition.lt = true;
    else options.refuse(`ERR Unsupported option ${options.value()}`);
  }
  if (condition.nx && (condition.xx || condition.gt || condition.lt)) {
    options.refuse('ERR NX and XX, GT or LT options at the same time are not compatible');
  }
  if (condition.gt && condition.lt) {
    options.refuse('ERR GT and LT options at the same time are not compatible');
  }
  return condition;
}

const persist: Handler = (call, args) =>
  after(update(call, argument(args, 1), { kind: 'persist' }), ({ applied }) => (applied ? 1 : 0));

const missing = -2;
const withoutExpiry = -1;

/** TTL and its kin: how a reader is told the expiry of a key that has one. */
function toldExpiry(told: (expireAtMs: number, nowMs: number) => number): Handler {
  return (call, args) => {
    const { clock } = call.ports.system;
    const shape = (shown: Visible | undefined): number => {
      if (shown === undefined) return missing;
      return shown.expireAtMs === 0 ? withoutExpiry : told(shown.expireAtMs, clock.wallMs());
    };
    return after(lookUp(call, argument(args, 1)), shape);
  };
}

function restMs(expireAtMs: number, nowMs: number): number {
  return Math.max(expireAtMs - nowMs, 0);
}

function roundedSeconds(ms: number): number {
  return Math.floor((ms + 500) / 1000);
}

const onKey = { group: 'generic', keys: firstArgument, overlaps: true } as const;
const setter = { ...onKey, arity: -3, flags: ['write', 'fast'] } as const;
const getter = { ...onKey, arity: 2, flags: ['readonly', 'fast'], syntax: 'key' } as const;

export const expiryCommands: readonly Command[] = [
  {
    ...setter,
    name: 'expire',
    since: '1.0.0',
    summary: "Set a key's time to live in seconds",
    syntax: 'key seconds [NX | XX | GT | LT]',
    handler: expireBy(expiryForms.ex, 'expire'),
  },
  {
    ...setter,
    name: 'pexpire',
    since: '2.6.0',
    summary: "Set a key's time to live in milliseconds",
    syntax: 'key milliseconds [NX | XX | GT | LT]',
    handler: expireBy(expiryForms.px, 'pexpire'),
  },
  {
    ...setter,
    name: 'expireat',
    since: '1.2.0',
    summary: 'Set the expiration for a key as a UNIX timestamp',
    syntax: 'key unix-time-seconds [NX | XX | GT | LT]',
    handler: expireBy(expiryForms.exat, 'expireat'),
  },
  {
    ...setter,
    name: 'pexpireat',
    since: '2.6.0',
    summary: 'Set the expiration for a key as a UNIX timestamp specified in milliseconds',
    syntax: 'key unix-time-milliseconds [NX | XX | GT | LT]',
    handler: expireBy(expiryForms.pxat, 'pexpireat'),
  },
  {
    ...getter,
    name: 'ttl',
    since: '1.0.0',
    summary: 'Get the time to live for a key in seconds',
    handler: toldExpiry((expireAtMs, nowMs) => roundedSeconds(restMs(expireAtMs, nowMs))),
  },
  {
    ...getter,
    name: 'pttl',
    since: '2.6.0',
    summary: 'Get the time to live for a key in milliseconds',
    handler: toldExpiry(restMs),
  },
  {
    ...getter,
    name: 'expiretime',
    since: '7.0.0',
    summary: 'Get the expiration Unix timestamp for a key',
    handler: toldExpiry(roundedSeconds),
  },
  {
    ...getter,
    name: 'pexpiretime',
    since: '7.0.0',
    summary: 'Get the expiration Unix timestamp for a key in milliseconds',
    handler: toldExpiry((expireAtMs) => expireAtMs),
  },
  {
    ...onKey,
    name: 'persist',
    arity: 2,
    flags: ['write', 'fast'],
    since: '2.2.0',
    summary: 'Remove the expiration from a key',
    syntax: 'key',
    handler: persist,
  },
];
