// Requests that wait for an answer of the server: given up once the connection is lost, for then it may never come.

/** Runs on the main thread. */
export class Answers {
  readonly #waiting = new Set<(lost: Error) => void>();

  /** @throws what the request throws, or that the connection was lost: the server may have carried it out all the same */
  of<T>(request: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      request.finally(() => this.#waiting.delete(reject)).then(resolve, reject);
    });
  }

  /** The connection is lost. */
  giveUp(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reject of waiting) reject(new Error('the connection was lost before the answer came'));
  }
}
