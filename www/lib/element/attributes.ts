/** The element's attributes as properties. Attributes are the truth; only what no text can say is kept beside them. */

import type { AllowPrompt, LoadOptions } from "../api.ts";
import type { DeviceChoice } from "../protocol.ts";

/** Where a page is rendered ahead on a server there are no elements; importing this does no harm there. */
const Base: typeof HTMLElement = globalThis.HTMLElement ?? class {};

const DEVICES: readonly DeviceChoice[] = ["auto", "gpu", "gpu-half", "cpu"];

export class Attributes extends Base {
  /** One that no text can say. */
  #model: Exclude<LoadOptions["model"], string | URL>;
  #allowPrompt: AllowPrompt | undefined;

  /** Called where an attribute may not tell that the model was changed. */
  protected modelChanged(): void {}

  /** Takes over properties that were set before the element was defined, which hide its own. */
  protected adopt(...names: (keyof Attributes)[]): void {
    for (const name of names) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete (this as Partial<Record<keyof Attributes, unknown>>)[name];
      Object.assign(this, { [name]: value });
    }
  }

  get prompt(): string {
    return this.getAttribute("prompt") ?? "";
  }
  set prompt(text: string) {
    this.setAttribute("prompt", text);
  }

  get negativePrompt(): string {
    return this.getAttribute("negative-prompt") ?? "";
  }
  set negativePrompt(text: string) {
    this.setAttribute("negative-prompt", text);
  }

  get seed(): number {
    return wholeNumber(this.getAttribute("seed")) ?? 0;
  }
  set seed(seed: number) {
    this.setAttribute("seed", String(seed));
  }

  /** An address, or what else `Imagen.load` takes. */
  get model(): LoadOptions["model"] {
    return this.getAttribute("model") ?? this.#model;
  }
  set model(model: LoadOptions["model"]) {
    const before = this.#model;
    const address = typeof model === "string" || model instanceof URL;
    this.#model = address ? undefined : model;
    if (address) this.setAttribute("model", String(model));
    else this.removeAttribute("model");
    if (before !== this.#model) this.modelChanged();
  }

  /** Asked before each run, beside the lists. */
  get allowPrompt(): AllowPrompt | undefined {
    return this.#allowPrompt;
  }
  set allowPrompt(rule: AllowPrompt | undefined) {
    this.#allowPrompt = rule;
  }

  /** Size of the last stage; the model's last where there is none. */
  get stages(): number | undefined {
    return wholeNumber(this.getAttribute("stages"));
  }
  set stages(size: number | undefined) {
    if (size === undefined) this.removeAttribute("stages");
    else this.setAttribute("stages", String(size));
  }

  get device(): DeviceChoice {
    const wanted = this.getAttribute("device");
    return DEVICES.find((device) => device === wanted) ?? "auto";
  }
  set device(device: DeviceChoice) {
    this.setAttribute("device", device);
  }

  get autostart(): boolean {
    return this.hasAttribute("autostart");
  }
  set autostart(on: boolean) {
    this.toggleAttribute("autostart", on);
  }

  get controls(): boolean {
    return this.hasAttribute("controls");
  }
  set controls(on: boolean) {
    this.toggleAttribute("controls", on);
  }

  get badge(): boolean {
    return this.hasAttribute("badge");
  }
  set badge(on: boolean) {
    this.toggleAttribute("badge", on);
  }
}

function wholeNumber(text: string | null): number | undefined {
  const number = text === null || text.trim() === "" ? Number.NaN : Number(text);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
