// Finds the subscriptions that a topic matches: a trie of tokens, and a bounded memory of topics looked up before.
import { isTopic } from '../shared/topics.js';

interface Node<S> {
  readonly children: Map<string, Node<S>>;
  /** Those whose pattern ends here. */
  readonly here: S[];
  /** Those whose pattern goes on with `>`. */
  readonly rest: S[];
}

/** Topics remembered; when there are more, all are forgotten: a miss costs well under a microsecond. */
const MOST_REMEMBERED = 4096;

/** Runs on the main thread. `match` is O(tokens + matches) the first time, one lookup afterwards. */
export class Router<S> {
  #root: Node<S> = emptyNode();
  readonly #remembered = new Map<string, readonly S[]>();
  /** The last one looked up: most publishers have few topics, and a look at a Map costs 20 ns. */
  #lastTopic = '';
  #lastFound: readonly S[] | undefined;

  /** @param pattern a valid pattern */
  add(pattern: string, subscription: S): void {
    const [node, isRest] = this.#place(pattern);
    (isRest ? node.rest : node.here).push(subscription);
    this.#forget();
  }

  /** False: it was not there. */
  remove(pattern: string, subscription: S): boolean {
    const [node, isRest] = this.#place(pattern);
    const list = isRest ? node.rest : node.here;
    const index = list.indexOf(subscription);
    if (index < 0) return false;
    list.splice(index, 1);
    this.#prune(this.#root);
    this.#forget();
    return true;
  }

  /** The subscriptions of a topic in no particular order, or undefined when the topic is malformed. */
  match(topic: string): readonly S[] | undefined {
    if (topic === this.#lastTopic) return this.#lastFound;
    const found = this.#remembered.get(topic) ?? this.#find(topic);
    // What was refused may be of any size.
    if (found === undefined) return undefined;
    this.#lastTopic = topic;
    this.#lastFound = found;
    return found;
  }

  #find(topic: string): readonly S[] | undefined {
    if (!isTopic(topic)) return undefined;
    const found: S[] = [];
    collect(this.#root, topic.split('.'), 0, found);
    if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(topic, found);
    return found;
  }

  #forget(): void {
    this.#remembered.clear();
    this.#lastTopic = '';
    this.#lastFound = undefined;
  }

  #place(pattern: string): [node: Node<S>, isRest: boolean] {
    let node = this.#root;
    for (const token of pattern.split('.')) {
      if (token === '>') return [node, true];
      let child = node.children.get(token);
      if (child === undefined) {
        child = emptyNode();
        node.children.set(token, child);
      }
      node = child;
    }
    return [node, false];
  }

  /** Drops nodes that nobody uses any more. True: this one is of no use. */
  #prune(node: Node<S>): boolean {
    for (const [token, child] of node.children) if (this.#prune(child)) node.children.delete(token);
    return node.children.size === 0 && node.here.length === 0 && node.rest.length === 0;
  }
}

function emptyNode<S>(): Node<S> {
  return { children: new Map(), here: [], rest: [] };
}

function collect<S>(node: Node<S>, tokens: readonly string[], index: number, found: S[]): void {
  if (index === tokens.length) {
    found.push(...node.here);
    return;
  }
  found.push(...node.rest);
  const exact = node.children.get(tokens[index] as string);
  if (exact !== undefined) collect(exact, tokens, index + 1, found);
  const wildcard = node.children.get('*');
  if (wildcard !== undefined) collect(wildcard, tokens, index + 1, found);
}
