/** The gallery: what is kept, what is said about it, and the same in all tabs. */

import { t } from "../i18n/index.ts";
import type { Database, Files, Kept } from "./database.ts";
import { thumbnail } from "./thumbnail.ts";

/** Pictures that are read at once, and so begin to load in one frame: each takes the main thread a millisecond or two. */
const BATCH = 8;
/** Pictures that are near the view before anybody has measured it. */
const FIRST = 24;

/** A picture near the view, and the address of its small one. */
export interface Card {
  kept: Kept;
  url: string;
}

export class Gallery {
  #database: Promise<Database> | undefined;
  readonly #tabs = new BroadcastChannel("imagen-gallery");
  readonly #changed: () => void;
  /** Of all, newest first. */
  #ids: readonly string[] = [];
  /** What is near the view: from this picture to before that one. */
  #near: readonly [number, number] = [0, FIRST];
  /** What was read of it. */
  readonly #cards = new Map<string, Card>();
  /** Pictures that have changed since they were read. */
  readonly #stale = new Set<string>();
  #loading = false;
  /** What was deleted last, until something else is. */
  #removed: { kept: Kept; files: Files } | undefined;
  /** It is known how many there are, or that there is no telling. */
  ready = false;
  /** Counts changes, for a view that is drawn again only then. */
  version = 0;
  /** What went wrong last. */
  trouble: (() => string) | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#tabs.onmessage = ({ data }: MessageEvent<string | undefined>) => this.#read(data);
  }

  /** Reads how many there are. */
  start(): void {
    void this.#read();
  }

  get count(): number {
    return this.#ids.length;
  }

  /** The number of the first picture near the view, counted from 0, and the ids of all that are. */
  get near(): { first: number; ids: readonly string[] } {
    return { first: this.#near[0], ids: this.#ids.slice(...this.#near) };
  }

  get undoable(): boolean {
    return this.#removed !== undefined;
  }

  /** The view has moved: what is near it is read, and what is not is let go. */
  look(first: number, last: number): void {
    if (first === this.#near[0] && last === this.#near[1]) return;
    this.#near = [first, last];
    this.#told();
  }

  /** What is known of a picture near the view; nothing while it is being read. */
  card(id: string): Card | undefined {
    return this.#cards.get(id);
  }

  has(id: string): boolean {
    return this.#ids.includes(id);
  }

  /** The picture before or behind another one. */
  async beside(id: string, by: 1 | -1): Promise<Kept | undefined> {
    const at = this.#ids.indexOf(id);
    const other = at < 0 ? undefined : this.#ids[at + by];
    return other === undefined ? undefined : this.#record(other);
  }

  async files(id: string): Promise<Files> {
    return (await this.#open()).files(id);
  }

  /** Keeps a picture. One that has no room is said to have none; what was kept before stays. */
  async keep(about: Omit<Kept, "sizes" | "thumbnail">, files: Files): Promise<void> {
    const sizes = [...files.keys()].sort((a, b) => a - b);
    const largest = sizes.at(-1) ?? 0;
    const png = files.get(largest);
    if (!png) return;
    try {
      const kept = { ...about, sizes, thumbnail: await thumbnail(png, largest) };
      await (await this.#open()).put(kept, files);
      this.trouble = undefined;
      await this.#change(kept.id);
    } catch (error) {
      this.failed(error);
    }
  }

  async remove(id: string): Promise<void> {
    try {
      const kept = await this.#record(id);
      if (!kept) return;
      // Read first, so that it can be put back.
      const files = await this.files(id);
      await (await this.#open()).remove(id);
      this.#removed = { kept, files };
      await this.#change(id);
    } catch (error) {
      this.failed(error);
    }
  }

  async undo(): Promise<void> {
    const removed = this.#removed;
    if (!removed) return;
    this.#removed = undefined;
    try {
      await (await this.#open()).put(removed.kept, removed.files);
      await this.#change(removed.kept.id);
    } catch (error) {
      this.failed(error);
    }
  }

  async clear(): Promise<void> {
    try {
      await (await this.#open()).clear();
      this.#removed = undefined;
      await this.#change();
    } catch (error) {
      this.failed(error);
    }
  }

  /** All pictures in one archive. What makes it is fetched when it is first used. */
  async exportAll(): Promise<Blob | undefined> {
    try {
      const { archived } = await import("./export.ts");
      return await archived();
    } catch (error) {
      this.failed(error);
      return undefined;
    }
  }

  /** Something about the gallery did not work. */
  failed(error: unknown): void {
    const full = error instanceof DOMException && error.name === "QuotaExceededError";
    const reason = error instanceof Error ? error.message : String(error);
    this.trouble = () => (full ? t.galleryFull : t.galleryTrouble(reason));
    this.#redraw();
  }

  /** Fetched, with the library that it brings, after what is seen first. */
  #open(): Promise<Database> {
    this.#database ??= import("../kept.ts").then(({ Database }) => new Database());
    return this.#database;
  }

  async #record(id: string): Promise<Kept | undefined> {
    const [kept] = await (await this.#open()).records([id]);
    return kept;
  }

  /** This tab has changed a picture, or all of them. */
  async #change(id?: string): Promise<void> {
    this.#tabs.postMessage(id);
    await this.#read(id);
  }

  /** Reads which pictures there are; the one given has changed. */
  async #read(id?: string): Promise<void> {
    try {
      this.#ids = await (await this.#open()).ids();
      if (id !== undefined) this.#stale.add(id);
      this.ready = true;
      this.#told();
    } catch (error) {
      this.ready = true;
      this.failed(error);
    }
  }

  #redraw(): void {
    this.version += 1;
    this.#changed();
  }

  /** There are other pictures, or others are near the view. */
  #told(): void {
    this.#release();
    this.#redraw();
    void this.#load();
  }

  /** Lets go of what is not near the view. */
  #release(): void {
    const near = new Set(this.near.ids);
    for (const [id, { url }] of this.#cards) {
      if (near.has(id)) continue;
      URL.revokeObjectURL(url);
      this.#cards.delete(id);
    }
  }

  /** Reads what is near the view, wherever it is by then, a few pictures a frame. */
  async #load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      for (let wanted = this.#wanted(); wanted.length > 0; wanted = this.#wanted()) {
        for (const id of wanted) this.#stale.delete(id);
        const records = await (await this.#open()).records(wanted);
        wanted.forEach((id, at) => {
          this.#take(id, records[at]);
        });
        this.#redraw();
        await frame();
      }
    } catch (error) {
      this.failed(error);
    } finally {
      this.#loading = false;
    }
  }

  /** What is nearest to the middle of the view comes first. */
  #wanted(): string[] {
    const { ids } = this.near;
    const away = (at: number) => Math.abs(at - ids.length / 2);
    const wanted = ids.map((id, at) => ({ id, at })).filter(({ id }) => !this.#cards.has(id) || this.#stale.has(id));
    wanted.sort((a, b) => away(a.at) - away(b.at));
    return wanted.slice(0, BATCH).map(({ id }) => id);
  }

  #take(id: string, kept: Kept | undefined): void {
    const before = this.#cards.get(id);
    if (before) URL.revokeObjectURL(before.url);
    if (kept) {
      this.#cards.set(id, { kept, url: URL.createObjectURL(kept.thumbnail) });
    } else {
      // Another tab has deleted it.
      this.#cards.delete(id);
      this.#ids = this.#ids.filter((other) => other !== id);
    }
  }
}

function frame(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => resolve()));
}
