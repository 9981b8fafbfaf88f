/** How fast bytes arrive, over the last seconds, and how long the rest will take. */

import { bytesText, duration } from "../lib/rate.ts";

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

  /** "3.1 MB/s"; empty before something has arrived. */
  get text(): string {
    return this.#perSecond > 0 ? `${bytesText(this.#perSecond)}/s` : "";
  }

  left(bytes: number): string {
    return this.#perSecond > 0 ? `${duration((bytes / this.#perSecond) * 1000)} left` : "";
  }

  get #perSecond(): number {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (!first || !last || last.at === first.at) return 0;
    return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000;
  }
}
