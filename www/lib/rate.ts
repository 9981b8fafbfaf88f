/** How fast a stage goes and how long it will take, as a person would put it. */

export class Rate {
  #start = 0;
  #last = 0;
  #steps = 0;

  /** Called when the stage starts and after each of its steps, with a clock in milliseconds. */
  mark(step: number, now: number): void {
    if (step === 0) this.#start = now;
    this.#last = now;
    this.#steps = step;
  }

  /** Milliseconds since the stage started. */
  get elapsed(): number {
    return this.#last - this.#start;
  }

  /** "3.1 steps/s" or "4.2 s/step"; empty before the first step. */
  get text(): string {
    if (this.#steps === 0) return "";
    const seconds = Math.max(this.elapsed, 1) / 1000 / this.#steps;
    return seconds < 1 ? `${(1 / seconds).toFixed(1)} steps/s` : `${seconds.toFixed(1)} s/step`;
  }

  /** "12 s left"; empty before the first step and after the last. */
  left(steps: number): string {
    if (this.#steps === 0 || this.#steps >= steps) return "";
    return `${duration((this.elapsed / this.#steps) * (steps - this.#steps))} left`;
  }
}

export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return `${minutes} min`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** In the unit that fits: "42 kB", "26.4 MB", "3.1 GB". */
export function bytesText(bytes: number): string {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
  return bytes < 1e9 ? megabytes(bytes) : `${(bytes / 1e9).toFixed(1)} GB`;
}
