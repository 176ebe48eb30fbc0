// How a drain waits for the next end of one of its attempts.

/** Belongs to one drain, which waits for one thing at a time. */
export class Endings {
  #onEnd: (() => void) | undefined;

  /** One has ended, or there is another reason to look again. */
  tell(): void {
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    onEnd?.();
  }

  /** Until one ends. */
  next(): Promise<void> {
    return new Promise((resume) => {
      this.#onEnd = resume;
    });
  }

  /**
   * Looks whenever one ends, at once, for a promise for each end would cost as much as a message does.
   *
   * @returns what was found last
   */
  until<T>(look: () => T, isIt: (found: T) => boolean): Promise<T> {
    return new Promise((resume, fail) => {
      const lookAgain = (): void => {
        try {
          const found = look();
          if (isIt(found)) resume(found);
          else this.#onEnd = lookAgain;
        } catch (thrown) {
          fail(thrown);
        }
      };
      this.#onEnd = lookAgain;
    });
  }
}
