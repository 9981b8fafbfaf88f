/** How fast bytes arrive, over the last seconds. */

/** Milliseconds that are looked back. */
const WINDOW = 5000;

export class Speed {
  #marks: { bytes: number; at: number }[] = [];

  mark(bytes: number, at: number): void {
    this.#marks.push({ bytes, at });
    this.#marks = this.#marks.filter((mark) => at - mark.at <= WINDOW);
  }

  reset(): void {
    this.#marks = [];
  }

  /** Bytes per second; 0 before something has arrived. */
  get perSecond(): number {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (!first || !last || last.at === first.at) return 0;
    return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000;
  }
}
