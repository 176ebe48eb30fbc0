// Decides whether JSON gives a decoded value back exactly.

/**
 * True for null, booleans, strings, finite numbers but -0, arrays and objects of them.
 *
 * @param value a tree of plain data: without cycles, holes, inherited or hidden keys
 */
export function isPlainJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      return value === null || isPlainContainer(value);
    default:
      return false;
  }
}

function isPlainContainer(value: object): boolean {
  if (Array.isArray(value)) return value.every(isPlainJson);
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every(isPlainJson);
}
