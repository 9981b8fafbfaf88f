/** The one canvas on which all stages appear, and the link that saves what it shows. */

export class PictureView {
  readonly #canvas: HTMLCanvasElement;
  readonly #frame: HTMLElement;
  readonly #download: HTMLAnchorElement;
  #prompt = "";
  #seed = 0;

  constructor(canvas: HTMLCanvasElement, frame: HTMLElement, download: HTMLAnchorElement) {
    this.#canvas = canvas;
    this.#frame = frame;
    this.#download = download;
  }

  /** A new picture begins; the old one stays visible until its first preview. */
  begin(prompt: string, seed: number): void {
    this.#prompt = prompt;
    this.#seed = seed;
    this.#offer(undefined, 0);
  }

  show(bitmap: ImageBitmap, size: number, finished: boolean): void {
    this.#canvas.width = size;
    this.#canvas.height = size;
    this.#canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.#frame.dataset.filled = "";
    const what = finished ? `${size} × ${size} pixels` : `preview, ${size} × ${size} pixels`;
    this.#canvas.setAttribute("aria-label", `${this.#prompt} (${what})`);
  }

  /** Offers a finished stage's PNG. */
  save(png: Blob, size: number): void {
    this.#offer(URL.createObjectURL(png), size);
  }

  #offer(url: string | undefined, size: number): void {
    const old = this.#download.href;
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
    this.#download.hidden = url === undefined;
    this.#download.href = url ?? "#picture";
    this.#download.download = `${fileName(this.#prompt)}-${this.#seed}-${size}.png`;
  }
}

/** A prompt as a file's name: its letters and digits in any script, joined by hyphens, cut at 60 characters. */
function fileName(prompt: string): string {
  const words = prompt.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return Array.from(words.join("-")).slice(0, 60).join("") || "picture";
}
