/** Draws the page soon, once for everything that changed meanwhile. */

export class Redraw {
  /** At once: for what a click does, so that it cannot be clicked twice. */
  readonly now: () => void;
  #due = false;

  constructor(draw: () => void) {
    this.now = draw;
  }

  readonly request = (): void => {
    if (this.#due) return;
    this.#due = true;
    const draw = () => {
      this.#due = false;
      this.now();
    };
    // A tab in the background gets no frames, and its title still tells how far it is.
    if (document.hidden) setTimeout(draw, 100);
    else requestAnimationFrame(draw);
  };
}
