// Whether a topic is meant by a pattern, for filters: where it is asked rarely. Routing has an index of its own.

/** `*` is one token, a final `>` the rest; anything else is itself. */
export function isMatch(topic: string, pattern: string): boolean {
  if (topic === pattern) return true;
  const tokens = topic.split('.');
  const wanted = pattern.split('.');
  const isOpen = wanted.at(-1) === '>';
  if (isOpen ? tokens.length < wanted.length : tokens.length !== wanted.length) return false;
  return wanted.every((token, at) => token === '*' || token === tokens[at] || (isOpen && at === wanted.length - 1));
}
