/**
 * Which rows of a long list of pictures are near the view. Only those are in the document, with room for the others, so that
 * thousands of pictures cost no more than a screenful.
 */

/** Rows beyond what is seen that are there already. */
const BEYOND = 3;

export class Shelf {
  readonly #look: (first: number, last: number) => void;
  /** What scrolls; the list fills it. */
  #shelf: Element | undefined;
  #columns = 0;
  /** Height of a row and of the gap below it, in pixels. */
  #row = 0;
  readonly #sizes = new ResizeObserver(() => this.#measure());

  /** `look` is told which pictures are near the view: from the first, counted from 0, to before the last. */
  constructor(look: (first: number, last: number) => void) {
    this.#look = look;
  }

  /** It comes into the document, or goes. */
  readonly attach = (shelf: Element | undefined): void => {
    this.#sizes.disconnect();
    this.#shelf = shelf;
    // Its height says how much is seen, the list's width how many stand in a row.
    for (const element of [shelf, shelf?.firstElementChild]) if (element) this.#sizes.observe(element);
  };

  readonly scrolled = (): void => {
    if (!this.#shelf || this.#row === 0) return;
    const { scrollTop, clientHeight } = this.#shelf;
    const first = Math.max(0, Math.floor(scrollTop / this.#row) - BEYOND);
    const last = Math.ceil((scrollTop + clientHeight) / this.#row) + BEYOND;
    this.#look(first * this.#columns, last * this.#columns);
  };

  /** The style that keeps the room of what is not in the document: so many pictures before and behind it. */
  room(before: number, behind: number): string {
    if (this.#row === 0) return "";
    const room = (pictures: number) => `${Math.max(0, Math.ceil(pictures / this.#columns)) * this.#row}px`;
    return `padding-block: ${room(before)} ${room(behind)}`;
  }

  /** Called behind a layout, so that it costs none. */
  #measure(): void {
    const list = this.#shelf?.firstElementChild;
    if (!list) return;
    const { gridTemplateColumns, rowGap } = getComputedStyle(list);
    const columns = gridTemplateColumns.split(" ");
    const row = Number.parseFloat(columns[0] ?? "") + Number.parseFloat(rowGap);
    // Without a picture there is no grid.
    if (!(row > 0)) return;
    [this.#columns, this.#row] = [columns.length, row];
    this.scrolled();
  }
}
