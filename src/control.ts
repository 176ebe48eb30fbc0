// What a running bus answers to the command line: which part answers which request.
import type { BusParts } from './assembly.js';
import { ControlServer } from './observe/control-server.js';
import type { ResolvedBusOptions } from './resolved-options.js';
import type { ControlAnswers, ControlRequest } from './shared/control.js';
import { BusbarError, invalidOption, show } from './shared/errors.js';
import type { HealthStatus } from './shared/health-status.js';
import { peek } from './shared/hostile.js';
import { answerAboutLetters } from './shared/letter-desk.js';

/** Null when error handling is off: there is no folder to put a socket in. Starts nothing. */
export function controlOf(
  parts: BusParts,
  { errorLogDir, redact }: ResolvedBusOptions,
  health: () => HealthStatus,
): ControlServer | null {
  const { deadLetterQueue: desk, settler, notes } = parts;
  if (desk === null) return null;
  /** What is asked comes from outside: the part that answers checks its fields. */
  const answer = async (request: unknown): Promise<ControlAnswers[ControlRequest['ask']]> => {
    const asked = request as ControlRequest;
    const ask = peek(request, 'ask') as ControlRequest['ask'];
    switch (ask) {
      case 'health':
        return { pid: process.pid, health: health() };
      case 'redaction':
        return redact;
      case 'breaker':
        return moveBreaker(parts, asked as BreakerRequest);
      case 'letters':
      case 'letter':
      case 'letter-stats':
      case 'letter-groups':
      case 'edit':
      case 'replay':
      case 'archive':
      case 'unarchive':
      case 'purge':
        return answerAboutLetters(
          desk,
          asked as Exclude<ControlRequest, BreakerRequest | { ask: 'health' | 'redaction' }>,
        );
      default:
        throw new BusbarError(
          'BUSBAR_CONTROL_REQUEST',
          `this bus does not know the request ${show(ask satisfies never)}`,
        );
    }
  };
  return new ControlServer(errorLogDir, answer, (trouble) =>
    settler.report(notes.incident('control_socket', trouble, 'setup')),
  );
}

type BreakerRequest = Extract<ControlRequest, { ask: 'breaker' }>;

function moveBreaker(parts: BusParts, { name: asked, command }: BreakerRequest): string | null {
  const name = breakerNamed(parts, asked);
  if (name === null) return null;
  const breaker = parts.breakers.of(name);
  if (command === 'reset') breaker.reset();
  else if (command === 'open') breaker.forceOpen();
  else throw new BusbarError('BUSBAR_CONTROL_REQUEST', `a breaker can be reset or opened, not ${show(command)}`);
  return name;
}

/** By its own name, or by the subscriberId of the one subscription that has it. Null: asking for it would make one. */
function breakerNamed({ breakers, subscriptions }: BusParts, name: string): string | null {
  if (Object.hasOwn(breakers.status(), name)) return name;
  const its = subscriptions.health().filter(({ subscriberId, breaker }) => subscriberId === name && breaker !== null);
  const [first, ...others] = new Set(its.map(({ breakerName }) => breakerName));
  if (others.length === 0) return first ?? null;
  throw invalidOption(
    'breaker',
    `one by its name, for several are of this subscriber: ${[first, ...others].join(', ')}`,
    name,
  );
}
