/** What the frame shows: what is made, or a picture of a grid or of the gallery instead. */

import type { Kept } from "./gallery/database.ts";
import type { Gallery } from "./gallery/gallery.ts";
import { Shot } from "./shot.ts";

export class Frame {
  readonly #gallery: Gallery;
  readonly #changed: () => void;
  /** What the last job makes or made. */
  shots: readonly Shot[] = [];
  #shown: Shot | undefined;
  /** Counts what was asked for, since a picture of the gallery has to be read first. */
  #asked = 0;

  constructor(gallery: Gallery, changed: () => void) {
    this.#gallery = gallery;
    this.#changed = changed;
  }

  /** The picture that fills the frame; nothing where it is a grid, or empty. */
  get current(): Shot | undefined {
    return this.#shown ?? (this.shots.length === 1 ? this.shots[0] : undefined);
  }

  /** The frame shows something else than what is made, or was made last. */
  get away(): boolean {
    const { shots } = this;
    return this.#shown !== undefined && (shots.length > 1 || (shots.length === 1 && shots[0] !== this.#shown));
  }

  /** Pictures that are about to be made take the place of all that was there. */
  begin(shots: readonly Shot[]): void {
    for (const shot of [...this.shots, this.#shown]) shot?.release();
    this.#asked += 1;
    this.#shown = undefined;
    this.shots = shots;
    this.#changed();
  }

  /** Shows a picture, or with nothing given what is made. */
  async view(what: Shot | Kept | undefined): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    let shown = this.#shown;
    if (what === undefined || what instanceof Shot) {
      shown = what;
    } else {
      const known = this.shots.find(({ id }) => id === what.id);
      try {
        shown = known ?? (await Shot.from(what, await this.#gallery.files(what.id)));
      } catch (error) {
        this.#gallery.failed(error);
      }
    }
    // Something else was asked for meanwhile.
    if (this.#asked !== asked) return;
    const before = this.#shown;
    this.#shown = shown;
    if (before && before !== shown && !this.shots.includes(before)) before.release();
    this.#changed();
  }

  /** A picture that was deleted is shown no more. */
  forget(shot: Shot): void {
    shot.release();
    if (this.#shown === shot) this.#shown = undefined;
    this.shots = this.shots.filter((other) => other !== shot);
    this.#changed();
  }
}
