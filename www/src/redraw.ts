/** Draws the page soon, once for everything that changed meanwhile. */

export class Redraw {
  /** At once: for what a click does, so that it cannot be clicked twice. */
  readonly now: () => void;
  #due = false;

  constructor(draw: () => void) {
    this.now = draw;
    // The frame that was asked for may not come before the tab is seen again.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && this.#due) this.#soon();
    });
  }

  readonly request = (): void => {
    if (this.#due) return;
    this.#due = true;
    // A tab in the background gets no frames, and its title still tells how far it is.
    if (document.hidden) this.#soon();
    else requestAnimationFrame(this.#draw);
  };

  #soon(): void {
    setTimeout(this.#draw, 100);
  }

  readonly #draw = (): void => {
    if (!this.#due) return;
    this.#due = false;
    this.now();
  };
}
