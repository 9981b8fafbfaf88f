/** One picture: what it was asked for, how far it is, and its finished stages. */

import type { Files, Kept } from "./gallery/database.ts";
import { t } from "./i18n/index.ts";
import type { Settings } from "./settings.ts";
import { Surface } from "./surface.ts";

export type ShotState = "waiting" | "running" | "done" | "stopped";

export class Shot {
  readonly surface = new Surface();
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly address: string | undefined;
  settings: Settings;
  state: ShotState = "waiting";
  /** PNGs of the finished stages, by width. */
  files: Files;
  /** The surface shows a finished stage, not a preview. */
  #finished = false;
  #url: { png: Blob; url: string } | undefined;

  constructor(about: {
    id?: string;
    created?: number;
    model: string;
    address?: string | undefined;
    settings: Settings;
  }) {
    this.id = about.id ?? newId();
    this.created = about.created ?? Date.now();
    this.model = about.model;
    this.address = about.address;
    this.settings = about.settings;
    this.files = new Map();
  }

  /** A picture of the gallery. */
  static async from(kept: Kept, files: Files): Promise<Shot> {
    const shot = new Shot(kept);
    shot.state = "done";
    shot.files = files;
    await shot.restore();
    return shot;
  }

  /** Width of the largest finished stage; 0 where none is. */
  get size(): number {
    return Math.max(0, ...this.files.keys());
  }

  get png(): Blob | undefined {
    return this.files.get(this.size);
  }

  /** The address of its PNG, for a link; good until `release`. */
  get url(): string | undefined {
    const { png } = this;
    if (!png) return undefined;
    if (this.#url?.png !== png) {
      this.release();
      this.#url = { png, url: URL.createObjectURL(png) };
    }
    return this.#url?.url;
  }

  /** What assistive technology says of it. */
  get alternative(): string {
    const { size } = this.surface;
    if (size === 0) return t.noPicture;
    const { prompt } = this.settings;
    return this.#finished ? t.pictureOf(prompt, size) : t.previewOf(prompt, size);
  }

  show(bitmap: ImageBitmap, finished: boolean): void {
    this.#finished = finished;
    this.surface.show(bitmap, finished);
  }

  /** Shows the largest finished stage again, in place of a preview. */
  async restore(): Promise<void> {
    const { png } = this;
    if (png) this.show(await createImageBitmap(png), true);
  }

  release(): void {
    if (this.#url) URL.revokeObjectURL(this.#url.url);
    this.#url = undefined;
  }
}

/** As `crypto.randomUUID`, which a page over plain http does not have. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
