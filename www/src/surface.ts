/** A square on which a picture appears: what comes next fades in over what was there. */

const FADE_PREVIEW = 300;
const FADE_STAGE = 900;

const still = window.matchMedia("(prefers-reduced-motion: reduce)");

export class Surface {
  readonly element = document.createElement("div");
  readonly #front = document.createElement("canvas");
  /** Lies above and shows what was there, on its way out. */
  readonly #ghost = document.createElement("canvas");
  #fading: Animation | undefined;
  /** Width of what is shown; 0 for nothing yet. */
  size = 0;

  constructor() {
    this.element.className = "surface";
    this.#front.className = "front";
    this.#ghost.ariaHidden = "true";
    this.#ghost.className = "ghost";
    this.element.append(this.#front, this.#ghost);
  }

  /** Draws the bitmap and closes it. A finished stage fades in slower than a preview. */
  show(bitmap: ImageBitmap, finished: boolean): void {
    if (this.size > 0 && !still.matches)
      this.#fade(bitmap.width === this.size && !finished ? FADE_PREVIEW : FADE_STAGE);
    this.size = bitmap.width;
    this.#front.width = bitmap.width;
    this.#front.height = bitmap.height;
    this.#front.getContext("2d")?.drawImage(bitmap, 0, 0);
    bitmap.close();
  }

  /** Its alternative text; none where something around it has one. */
  describe(text: string | undefined): void {
    if (text === undefined) {
      this.#front.removeAttribute("role");
      this.#front.removeAttribute("aria-label");
      this.#front.ariaHidden = "true";
    } else {
      this.#front.removeAttribute("aria-hidden");
      this.#front.role = "img";
      if (this.#front.ariaLabel !== text) this.#front.ariaLabel = text;
    }
  }

  #fade(duration: number): void {
    this.#ghost.width = this.#front.width;
    this.#ghost.height = this.#front.height;
    this.#ghost.getContext("2d")?.drawImage(this.#front, 0, 0);
    this.#fading?.cancel();
    const fading = this.#ghost.animate([{ opacity: 1 }, { opacity: 0 }], { duration, easing: "ease-out" });
    this.#fading = fading;
    fading.onfinish = () => {
      // A canvas holds its pixels until it is told to let go.
      this.#ghost.width = 0;
      this.#ghost.height = 0;
    };
  }
}
