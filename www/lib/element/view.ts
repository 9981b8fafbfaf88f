/** What stands in the element's shadow: the canvas, the words about it, and the controls where they are asked for. */

import { style } from "./style.ts";
import type { Words } from "./words.ts";

export interface ViewEvents {
  generate(prompt: string): void;
  cancel(): void;
}

/** A finished picture and what its file is to be called. */
export interface OfferedFile {
  png: Blob;
  name: string;
}

export class View {
  readonly canvas: HTMLCanvasElement;
  readonly #words: Words;
  readonly #fallback: HTMLElement;
  readonly #badge: HTMLElement;
  readonly #progress: HTMLProgressElement;
  readonly #status: HTMLElement;
  readonly #controls: HTMLElement;
  readonly #prompt: HTMLTextAreaElement;
  readonly #generate: HTMLButtonElement;
  readonly #cancel: HTMLButtonElement;
  readonly #download: HTMLAnchorElement;

  constructor(root: ShadowRoot, words: Words, events: ViewEvents) {
    this.#words = words;
    root.adoptedStyleSheets = [style()];
    this.canvas = make("canvas", "canvas", { role: "img" });
    this.#fallback = make("div", "fallback");
    this.#fallback.append(document.createElement("slot"));
    this.#badge = make("span", "badge");
    this.#progress = make("progress", "progress", { "aria-label": words.progress });
    this.#progress.max = 1;
    this.#status = make("p", "status", { role: "status" });
    this.#prompt = make("textarea", "prompt", { rows: "2", "aria-label": words.prompt, placeholder: words.prompt });
    this.#generate = make("button", "generate", { type: "button", "aria-keyshortcuts": "Control+Enter" });
    this.#cancel = make("button", "cancel", { type: "button", "aria-keyshortcuts": "Escape" });
    this.#download = make("a", "download");
    const frame = make("div", "frame");
    frame.append(this.canvas, this.#fallback, this.#badge);
    const buttons = make("div", "buttons");
    buttons.append(this.#generate, this.#cancel, this.#download);
    this.#controls = make("div", "controls");
    this.#controls.append(this.#prompt, buttons);
    [this.#badge, this.#generate, this.#cancel, this.#download].forEach((part, index) => {
      part.textContent = [words.badge, words.generate, words.cancel, words.download][index] ?? "";
    });
    root.append(frame, this.#progress, this.#status, this.#controls);

    this.#generate.onclick = () => events.generate(this.#prompt.value);
    this.#cancel.onclick = () => events.cancel();
    this.#controls.onkeydown = (event) => {
      // An input method's own keys are not for the page.
      if (event.isComposing) return;
      if (event.key === "Escape") events.cancel();
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      events.generate(this.#prompt.value);
    };
    this.showControls(false);
    this.showBadge(false);
    this.clear();
    this.busy(false);
  }

  showControls(shown: boolean): void {
    this.#controls.hidden = !shown;
  }

  showBadge(shown: boolean): void {
    this.#badge.hidden = !shown;
  }

  set prompt(text: string) {
    if (this.#prompt.value !== text) this.#prompt.value = text;
  }

  /** Whether a picture is being made; `fraction` of it is done, nothing where that cannot be said. */
  busy(running: boolean, fraction?: number): void {
    this.#progress.hidden = !running;
    if (fraction === undefined) this.#progress.removeAttribute("value");
    else this.#progress.value = fraction;
    // A button that goes away under the keyboard would take the focus with it.
    const [from, to] = running ? [this.#generate, this.#cancel] : [this.#cancel, this.#generate];
    const focused = from.matches(":focus");
    to.disabled = false;
    if (focused) to.focus();
    from.disabled = true;
  }

  say(text: string): void {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  draw(bitmap: ImageBitmap, name: string): void {
    const { width, height } = bitmap;
    if (this.canvas.width !== width) [this.canvas.width, this.canvas.height] = [width, height];
    this.canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.canvas.setAttribute("aria-label", name);
    this.canvas.hidden = false;
    this.#fallback.hidden = true;
  }

  /** Offers the file. */
  offer({ png, name }: OfferedFile): void {
    this.withdraw();
    this.#download.href = URL.createObjectURL(png);
    this.#download.download = name;
    this.#download.hidden = false;
  }

  /** Shows the fallback again. */
  clear(): void {
    this.withdraw();
    this.canvas.hidden = true;
    this.canvas.setAttribute("aria-label", this.#words.empty);
    this.#fallback.hidden = false;
  }

  /** Nothing is offered any more, and nothing kept for it. */
  withdraw(): void {
    if (this.#download.href) URL.revokeObjectURL(this.#download.href);
    this.#download.removeAttribute("href");
    this.#download.hidden = true;
  }
}

/** An element that a page can style as a part of its name. */
function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  part: string,
  attributes: Record<string, string> = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.setAttribute("part", part);
  element.className = part;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
