/** What the buttons around a picture do, and what is said about it. */

import { html, type TemplateResult } from "lit-html";
import { Imagen } from "../lib/imagen.ts";
import { focusSoon } from "./focus.ts";
import type { Gallery } from "./gallery/gallery.ts";
import { t } from "./i18n/index.ts";
import { fromPicture, type PartialSettings } from "./settings.ts";
import { shareLink } from "./share-link.ts";
import type { Shot } from "./shot.ts";
import type { Studio } from "./studio.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Bytes of a PNG at most: twice what one of 4096 × 4096 pixels has that cannot be compressed. */
const MAX_PICTURE = 100e6;

export class Actions {
  readonly #studio: Studio;
  readonly #gallery: Gallery;
  readonly #take: (settings: PartialSettings) => void;
  readonly #changed: () => void;
  /** What came of the last action. */
  #said: (() => TemplateResult) | undefined;

  /** `take` puts settings into the form. */
  constructor(studio: Studio, gallery: Gallery, take: (settings: PartialSettings) => void, changed: () => void) {
    this.#studio = studio;
    this.#gallery = gallery;
    this.#take = take;
    this.#changed = changed;
  }

  get said(): TemplateResult | undefined {
    return this.#said?.();
  }

  say(what: (() => TemplateResult) | undefined): void {
    this.#said = what;
    this.#changed();
  }

  readonly copy = async ({ png }: Shot): Promise<void> => {
    if (!png) return;
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
      this.say(() => html`${t.copied}`);
    } catch {
      this.say(() => html`${t.notCopied}`);
    }
  };

  readonly share = async ({ settings, address }: Shot): Promise<void> => {
    const link = shareLink(settings, address, location.href);
    try {
      await navigator.clipboard.writeText(link);
      this.say(() => html`${t.linkCopied} <a href=${link}>${t.link}</a>`);
    } catch {
      // Without the clipboard it can be copied by hand.
      this.say(() => html`${t.linkByHand} <a href=${link}>${link}</a>`);
    }
  };

  readonly fullScreen = (): void => {
    void document.getElementById("frame")?.requestFullscreen();
  };

  readonly reuse = ({ settings }: Shot): void => {
    this.#take(settings);
    this.say(() => html`${t.settingsTaken}`);
  };

  readonly remove = async (shot: Shot): Promise<void> => {
    const next = (await this.#gallery.beside(shot.id, 1)) ?? (await this.#gallery.beside(shot.id, -1));
    await this.#gallery.remove(shot.id);
    this.#studio.frame.forget(shot);
    if (next) await this.#studio.frame.view(next);
    focusSoon("#gallery .undo button", "#prompt");
  };

  /** The next or the one before in the gallery. */
  readonly step = async (by: 1 | -1): Promise<void> => {
    const { current } = this.#studio.frame;
    const next = current && (await this.#gallery.beside(current.id, by));
    if (next) await this.#studio.frame.view(next);
  };

  readonly exportAll = async (): Promise<void> => {
    this.say(() => html`${t.exporting}`);
    const archive = await this.#gallery.exportAll();
    this.say(undefined);
    if (!archive) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(archive);
    link.download = "imagen-web.zip";
    link.click();
    // The download has its own hold on it by then.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };

  readonly clear = async (): Promise<void> => {
    if (!window.confirm(t.deleteAllSure(this.#gallery.count))) return;
    await this.#gallery.clear();
    if (!this.#studio.running) this.#studio.frame.begin([]);
  };

  /** A picture that was dropped or pasted: one that was made here tells its settings. */
  async takeFrom(file: File): Promise<void> {
    let settings: PartialSettings | undefined;
    try {
      // Whatever else is dropped, such as a model's file, is not read into memory.
      const read = (await isPicture(file)) ? await Imagen.readSettings(file) : undefined;
      settings = read && fromPicture(read);
    } catch {
      // No PNG, or a damaged one: it tells nothing.
    }
    if (settings) this.#take(settings);
    const { name } = file;
    this.say(settings ? () => html`${t.settingsFrom(name)}` : () => html`${t.noSettingsIn(name)}`);
  }
}

/** Whether it is a PNG by its first bytes, and of a size that pictures have. */
async function isPicture(file: File): Promise<boolean> {
  if (file.size > MAX_PICTURE) return false;
  const head = new Uint8Array(await file.slice(0, SIGNATURE.length).arrayBuffer());
  return SIGNATURE.every((byte, at) => head[at] === byte);
}
