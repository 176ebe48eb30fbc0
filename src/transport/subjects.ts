// How topics, keys and names become subjects and consumer names.
import { createHash } from 'node:crypto';
import { hashOf } from '../shared/key-hash.js';

/** Not that of the hash which picks a lane: else the keys of one partition would share few lanes. */
const PARTITION_OFFSET = 0x2545f491;

/** The partition of a key: the same for the same key, as long as their number is the same. */
export function partitionOf(key: string, partitions: number): number {
  return hashOf(key, PARTITION_OFFSET) % partitions;
}

/** The names of everything that one bus keeps on the servers; all are made from the stream's name. */
export class Names {
  readonly stream: string;
  /** Letters of all processes; one subject for each. */
  readonly letterStream: string;
  /** Who holds which partition. */
  readonly leaseStream: string;
  readonly #prefix: string;

  constructor(stream: string) {
    this.stream = stream;
    this.letterStream = `${stream}_DEAD`;
    this.leaseStream = `${stream}_LEASES`;
    this.#prefix = stream.toLowerCase();
  }

  /** All messages. */
  get messages(): string {
    return `${this.#prefix}.>`;
  }

  /** The subject of a topic, or of a pattern, in a partition. A token of a topic is a valid token of a subject. */
  message(partition: number, topicOrPattern: string): string {
    return `${this.#prefix}.${partition}.${topicOrPattern}`;
  }

  /** The topic of a message's subject. */
  topicOf(subject: string): string {
    return subject.slice(subject.indexOf('.', this.#prefix.length + 1) + 1);
  }

  get letters(): string {
    return `${this.#prefix}-dead.>`;
  }

  letter(errorId: string): string {
    return `${this.#prefix}-dead.${tokenOf(errorId)}`;
  }

  get leases(): string {
    return `${this.#prefix}-lease.>`;
  }

  /** What all processes must agree on. */
  get agreement(): string {
    return `${this.#prefix}-lease.agreement`;
  }

  lease(consumer: string): string {
    return `${this.#prefix}-lease.of.${consumer}`;
  }

  /** Where processes tell one another that they live; kept nowhere. */
  members(group: string): string {
    return `${this.#prefix}-members.${group}`;
  }
}

/** Names a subscription on the server, readable and unique: `detect-1f0c9a7b2d3e`. */
export function groupOf(pattern: string, subscriberId: string): string {
  const readable = subscriberId.replace(/[^\w-]/g, '_').slice(0, 40);
  const unique = createHash('sha256').update(`${pattern}\n${subscriberId}`).digest('hex').slice(0, 12);
  return `${readable}-${unique}`;
}

/** True: named as the consumer of a group's partition is. False: another program made it. */
export function isConsumerOfGroup(name: string): boolean {
  return /-[0-9a-f]{12}-\d+$/.test(name);
}

/** A text as one token: what a token cannot hold is written as `=hex`. */
function tokenOf(text: string): string {
  return text.replace(/[^\w-]/gu, (character) => `=${(character.codePointAt(0) as number).toString(16)}=`);
}

/** A text as a header's value: the same for the same text. */
export function headerValue(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : encodeURIComponent(Buffer.from(text).toString());
}
