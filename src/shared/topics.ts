// The rules for topics and patterns.
import { BusbarError, show } from './errors.js';

const LONGEST = 256;

/** One token or more, separated by dots; a token has no blanks, control characters, dots, `*` or `>`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const TOPIC = /^[^\s\u0000-\u001f\u007f.*>]+(?:\.[^\s\u0000-\u001f\u007f.*>]+)*$/;
/** Beyond that, `*` may stand for a token, and `>` for all the rest. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const PATTERN = /^(?:(?:[^\s\u0000-\u001f\u007f.*>]+|\*)\.)*(?:[^\s\u0000-\u001f\u007f.*>]+|\*|>)$/;

/** True for a topic that can be published to: at most 256 characters. */
export function isTopic(topic: unknown): topic is string {
  return typeof topic === 'string' && topic.length <= LONGEST && TOPIC.test(topic);
}

/** @throws BUSBAR_INVALID_TOPIC */
export function assertTopic(topic: unknown): asserts topic is string {
  if (!isTopic(topic)) throw notTopic(topic);
}

/** The error for what {@link isTopic} says no to. */
export function notTopic(topic: unknown): BusbarError {
  const rule = `tokens separated by dots, without blanks, "*" or ">", at most ${LONGEST} characters`;
  return new BusbarError('BUSBAR_INVALID_TOPIC', `a topic must be ${rule}; received ${show(topic)}`);
}

/** @throws BUSBAR_INVALID_TOPIC */
export function assertPattern(pattern: unknown): asserts pattern is string {
  if (typeof pattern === 'string' && pattern.length <= LONGEST && PATTERN.test(pattern)) return;
  const rule = `a topic in which "*" may stand for one token and a final ">" for the rest, at most ${LONGEST} characters`;
  throw new BusbarError('BUSBAR_INVALID_TOPIC', `a pattern must be ${rule}; received ${show(pattern)}`);
}
