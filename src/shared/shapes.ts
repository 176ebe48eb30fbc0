// The shapes of objects, remembered so that their keys are neither joined nor split again for every message.

/** A path of keys from the root; one shape ends at each node. One tree for each writer. */
export interface ShapeNode {
  readonly key: string;
  /** The keys up to here, each as `<length>:<key>`. */
  readonly text: string;
  /** The child met last: objects of one shape in a row need no lookup. */
  latest: ShapeNode | null;
  children: Map<string, ShapeNode> | null;
  /** The record that last used this shape, and the shape's index in it. */
  record: number;
  index: number;
}

/** Nodes and shapes kept; beyond that all are forgotten, so that generated keys cannot fill the memory. */
const MOST_KEPT = 4096;

function newNode(key: string, text: string): ShapeNode {
  return { key, text, latest: null, children: null, record: -1, index: 0 };
}

/** The shapes that one writer has met. */
export class ShapeTree {
  root = newNode('', '');
  #size = 0;

  /** Call between records only: nodes forgotten within one would lose their index. */
  trim(): void {
    if (this.#size < MOST_KEPT) return;
    this.root = newNode('', '');
    this.#size = 0;
  }

  /** The node after `key`. */
  step(node: ShapeNode, key: string): ShapeNode {
    const latest = node.latest;
    if (latest !== null && latest.key === key) return latest;
    node.children ??= new Map();
    let child = node.children.get(key);
    if (child === undefined) {
      child = newNode(key, `${node.text}${key.length}:${key}`);
      node.children.set(key, child);
      this.#size++;
    }
    node.latest = child;
    return child;
  }
}

/** The keys of a shape, in order. */
export interface Shape {
  readonly text: string;
  readonly keys: readonly string[];
  /** Assigning `__proto__` would set the prototype: such keys are defined. */
  readonly isUnsafe: boolean;
}

/** Longer descriptions are split each time. */
const LONGEST_KEPT = 2048;
const shapesByText = new Map<string, Shape>();
/** To look into the map, a text is made and hashed, which takes longer than to compare it. */
let latest: Shape | undefined;

/**
 * The shape that a part of a text describes.
 *
 * @throws RangeError when it describes none
 */
export function shapeIn(whole: string, from: number, end: number): Shape {
  if (latest?.text.length === end - from && whole.startsWith(latest.text, from)) return latest;
  const text = whole.substring(from, end);
  const known = shapesByText.get(text);
  if (known !== undefined) {
    latest = known;
    return known;
  }
  // A piece of a string keeps the whole of it alive: what is kept, here or by a reader, must be a copy.
  const own = Buffer.from(text, 'utf16le').toString('utf16le');
  const shape = newShape(own);
  if (own.length > LONGEST_KEPT) return shape;
  if (shapesByText.size >= MOST_KEPT) shapesByText.clear();
  shapesByText.set(own, shape);
  return shape;
}

function newShape(text: string): Shape {
  const keys = splitKeys(text);
  return { text, keys, isUnsafe: keys.includes('__proto__') };
}

function splitKeys(text: string): string[] {
  const keys: string[] = [];
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(':', at);
    const digits = colon < 0 ? '' : text.slice(at, colon);
    const end = colon + 1 + Number(digits);
    if (!/^\d{1,9}$/.test(digits) || end > text.length) throw new RangeError('a shape is damaged');
    keys.push(text.slice(colon + 1, end));
    at = end;
  }
  return keys;
}
