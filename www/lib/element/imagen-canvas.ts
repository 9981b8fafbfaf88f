/**
 * `<imagen-canvas prompt="a red house" seed="7" autostart>`: a picture that is drawn in the visitor's browser.
 *
 * | attribute | what it is |
 * | --- | --- |
 * | `prompt`, `negative-prompt`, `seed` | what to draw |
 * | `model` | the address of a model; left out, `models/storybook/` beside the page |
 * | `stages` | size of the last stage, such as `256` |
 * | `device` | `auto`, `gpu`, `gpu-half` or `cpu` |
 * | `autostart` | draw as soon as the element is in view, and again when it changes |
 * | `controls` | a field for the prompt, and buttons to draw, cancel and save |
 * | `badge` | say on the picture that it is AI-generated |
 * | `alt` | what a screen reader says of the picture; the prompt where it is left out |
 * | `blocklist`, `allowlist` | words, separated by commas, that prompts must not, or may only, have |
 *
 * Nothing heavy is fetched before the element is in view or asked. Events: `progress` for every event of a run, `stage` and
 * `done` with `{ size, png }`, `error` with an `ImagenError`; none of them bubbles. The default slot shows until there is
 * a picture. All parts have names for `::part()`, and `--imagen-accent`, `--imagen-on-accent`, `--imagen-background`,
 * `--imagen-color`, `--imagen-radius`, `--imagen-gap` and `--imagen-font` change the looks.
 */

import type { AllowPrompt, GenerateEvent, GenerateOptions, LoadOptions } from "../api.ts";
import { Imagen } from "../imagen.ts";
import { ImagenError } from "../imagen-error.ts";
import { allowlist, blocklist } from "../prompt-rules.ts";
import type { DeviceChoice } from "../protocol.ts";
import { Attributes } from "./attributes.ts";
import { Fraction } from "./fraction.ts";
import { type OfferedFile, View } from "./view.ts";
import { english, type Words } from "./words.ts";

/** A finished stage's picture. */
export interface Picture {
  size: number;
  png: Blob;
}

/** A run of the element. */
export interface Generation {
  /** The last stage's picture; rejects with an `ImagenError`. */
  promise: Promise<Picture>;
  abort(): void;
}

export class ImagenCanvas extends Attributes {
  static readonly observedAttributes = [
    ...["prompt", "negative-prompt", "seed", "model", "stages", "device", "autostart", "controls", "badge", "alt"],
    ...["blocklist", "allowlist"],
  ];
  /** What all elements say. */
  static readonly words: Words = { ...english };

  #view: View | undefined;
  #imagen: { key: unknown[]; loaded: Promise<Imagen> } | undefined;
  #abort: AbortController | undefined;
  #picture: Picture | undefined;
  /** What can be saved. */
  #file: OfferedFile | undefined;
  #observer: IntersectionObserver | undefined;
  #seen = false;
  #planned = false;

  connectedCallback(): void {
    const { words } = this.constructor as typeof ImagenCanvas;
    this.#view ??= new View(this.attachShadow({ mode: "open" }), words, {
      generate: (prompt) => {
        const changed = prompt !== this.prompt;
        this.prompt = prompt;
        // A change alone starts one that is in view.
        if (!(changed && this.autostart && this.#seen)) this.#start();
      },
      cancel: () => this.cancel(),
    });
    this.adopt("prompt", "negativePrompt", "seed", "model", "stages", "device", "autostart", "controls", "badge");
    this.adopt("allowPrompt");
    if (this.#file) this.#view.offer(this.#file);
    if (!this.hasAttribute("state")) this.setAttribute("state", "idle");
    for (const name of ImagenCanvas.observedAttributes) this.#apply(name);
    this.#observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        this.#observer?.disconnect();
        this.#seen = true;
        if (this.autostart) this.#plan();
      },
      { rootMargin: "200px" },
    );
    this.#observer.observe(this);
  }

  disconnectedCallback(): void {
    this.#observer?.disconnect();
    // An element that is only moved goes on.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.cancel();
      this.#unload();
      this.#view?.withdraw();
    });
  }

  protected override modelChanged(): void {
    if (this.autostart && this.#seen) this.#plan();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.#view) return;
    this.#apply(name);
    const looks = ["controls", "badge", "alt"].includes(name);
    if (!looks && this.autostart && this.#seen) this.#plan();
  }

  /** Draws; a picture that is being drawn is given up. What `options` leave out is the element's own. */
  generate(options: Partial<GenerateOptions> = {}): Generation {
    this.cancel();
    const abort = new AbortController();
    this.#abort = abort;
    const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal;
    const { prompt, negativePrompt, seed, stages: stopAt } = this;
    const promise = this.#run({ prompt, negativePrompt, seed, stopAt, ...options, signal }, abort);
    return { promise, abort: () => abort.abort() };
  }

  /** Ends what is being drawn, within a step. */
  cancel(): void {
    this.#abort?.abort();
  }

  /** The finished picture: the PNG with its settings, or in another format without them. Nothing where there is none. */
  async toBlob(type = "image/png", quality?: number): Promise<Blob | null> {
    if (!this.#picture || type === "image/png") return this.#picture?.png ?? null;
    // The canvas may show the next picture by now.
    const bitmap = await createImageBitmap(this.#picture.png);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    bitmap.close();
    return canvas.convertToBlob({ type, ...(quality === undefined ? {} : { quality }) });
  }

  async #run(request: GenerateOptions, abort: AbortController): Promise<Picture> {
    const { words } = this.constructor as typeof ImagenCanvas;
    const view = this.#view;
    const current = () => this.#abort === abort;
    const fraction = new Fraction();
    try {
      this.#tell("loading", words.waiting);
      view?.busy(true);
      const imagen = await this.#load(request.signal);
      fraction.plan(imagen.model.stages, request);
      let last: Picture | undefined;
      for await (const event of imagen.generate(request)) {
        if (!current()) throw ImagenError.cancelled();
        fraction.mark(event);
        this.dispatchEvent(new CustomEvent("progress", { detail: { ...event, fraction: fraction.value } }));
        this.#show(event, request.prompt, words);
        view?.busy(true, fraction.value);
        if (event.type !== "picture") continue;
        const { size, png } = event;
        last = { size, png };
        this.#picture = last;
        this.#file = { png, name: `picture-${request.seed ?? 0}-${size}.png` };
        view?.offer(this.#file);
        this.dispatchEvent(new CustomEvent("stage", { detail: last }));
      }
      if (!last) throw new ImagenError("engine", "the run ended without a picture");
      if (current()) this.#tell("done", words.done);
      view?.busy(false);
      this.dispatchEvent(new CustomEvent("done", { detail: last }));
      return last;
    } catch (thrown) {
      const error = ImagenError.from(thrown);
      if (current()) {
        const cancelled = error.kind === "cancelled";
        this.#tell(cancelled ? "idle" : "error", cancelled ? words.cancelled : words.error(error));
        view?.busy(false);
        if (!cancelled) this.dispatchEvent(new CustomEvent("error", { detail: error }));
      }
      throw error;
    } finally {
      if (current()) this.#abort = undefined;
    }
  }

  /** The element's engine, loaded again where it is to be another one. */
  async #load(signal: AbortSignal | undefined): Promise<Imagen> {
    const { model, device } = this;
    const key = [model, device];
    if (this.#imagen?.key.some((part, index) => part !== key[index])) this.#unload();
    if (!this.#imagen) {
      const { words } = this.constructor as typeof ImagenCanvas;
      const onProgress: LoadOptions["onProgress"] = (progress) => {
        if (progress.type === "download") this.#view?.say(words.downloading(progress.done, progress.total));
      };
      const loaded = Imagen.load({
        model,
        device,
        signal,
        onProgress,
        allowPrompt: (...prompts) => this.#allow(prompts),
      });
      const entry = { key, loaded };
      this.#imagen = entry;
      const forget = () => {
        if (this.#imagen === entry) this.#imagen = undefined;
      };
      loaded.catch(forget);
      // At once, since the next run may begin before the load has ended.
      signal?.addEventListener("abort", forget);
      loaded.then(
        () => signal?.removeEventListener("abort", forget),
        () => {},
      );
    }
    return this.#imagen.loaded;
  }

  #unload(): void {
    this.#imagen?.loaded.then(
      (imagen) => imagen.close(),
      () => {},
    );
    this.#imagen = undefined;
  }

  async #allow(prompts: Parameters<AllowPrompt>): Promise<boolean | string> {
    const listed = (name: string) => this.getAttribute(name)?.split(",");
    const [blocked, allowed] = [listed("blocklist"), listed("allowlist")];
    const rules = [blocked && blocklist(blocked), allowed && allowlist(allowed), this.allowPrompt];
    for (const rule of rules) {
      const answer = (await rule?.(...prompts)) ?? true;
      if (answer !== true) return answer;
    }
    return true;
  }

  #show(event: GenerateEvent, prompt: string, words: Words): void {
    switch (event.type) {
      case "download":
        this.#tell("loading", words.downloading(event.done, event.total));
        break;
      case "loading":
      case "compiling":
        this.#tell("loading", event.type === "loading" ? words.loading : words.compiling);
        break;
      case "encoding":
        this.#tell("drawing", words.encoding);
        break;
      case "stage":
        this.#tell("drawing", words.drawing(event.size));
        break;
      case "preview":
      case "picture": {
        const name = this.getAttribute("alt") ?? words.picture(prompt, event.size, event.type === "preview");
        this.#view?.draw(event.bitmap, name);
      }
    }
  }

  #tell(state: "idle" | "loading" | "drawing" | "done" | "error", text: string): void {
    this.setAttribute("state", state);
    this.#view?.say(text);
  }

  /** Draws soon, once for all attributes that change together. */
  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(() => {
      this.#planned = false;
      if (this.isConnected && this.prompt) this.#start();
    });
  }

  /** Draws; what becomes of it is told by events. */
  #start(): void {
    this.generate().promise.catch(() => {});
  }

  #apply(name: string): void {
    const view = this.#view;
    if (name === "prompt" && view) view.prompt = this.prompt;
    if (name === "controls") view?.showControls(this.controls);
    if (name === "badge") view?.showBadge(this.badge);
    const alt = this.getAttribute("alt");
    if (name === "alt" && alt && this.#picture) view?.canvas.setAttribute("aria-label", alt);
  }
}

export type { DeviceChoice };
