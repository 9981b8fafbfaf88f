/** How fast bytes arrive, over the last seconds. */

import { bytesText, duration } from "../../lib/rate.ts";
import { t } from "../i18n/index.ts";

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

  /** "3.1 MB/s" and, with so many bytes left, "12 s left", once they are known. */
  words(left: number): string[] {
    const { perSecond } = this;
    return perSecond > 0 ? [t.perSecond(bytesText(perSecond)), t.timeLeft(duration((left / perSecond) * 1000))] : [];
  }
}
