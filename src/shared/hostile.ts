// Reads properties of values that may be hostile: Proxies, throwing getters, anything that was thrown.

/** The property, or undefined when reading it throws. */
export function peek(value: unknown, key: string): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** The property if it is a string, cut at `longest` characters. */
export function peekText(value: unknown, key: string, longest: number): string | undefined {
  const text = peek(value, key);
  if (typeof text !== 'string') return undefined;
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** The property if it is a finite number. */
export function peekNumber(value: unknown, key: string): number | undefined {
  const number = peek(value, key);
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** The property as an array of at most `most` members. */
export function peekList(value: unknown, key: string, most: number): unknown[] {
  const list = peek(value, key);
  try {
    return Array.isArray(list) ? list.slice(0, most) : [];
  } catch {
    return [];
  }
}

/** True for errors of any realm, DOMExceptions among them. */
export function isErrorLike(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  try {
    if (value instanceof Error) return true;
    return typeof peek(value, 'message') === 'string' && typeof peek(value, 'name') === 'string';
  } catch {
    return false;
  }
}
