/** Where the keyboard goes on when what it was at goes away. */

/** Focuses the first of these that is there after the page was drawn. */
export function focusSoon(...selectors: string[]): void {
  const focus = () => {
    const found = selectors.map((selector) => document.querySelector<HTMLElement>(selector)).find((element) => element);
    found?.focus();
  };
  // The page is drawn in the next frame.
  requestAnimationFrame(() => requestAnimationFrame(focus));
}
