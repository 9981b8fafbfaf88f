/** The gallery: what is kept, what is said about it, and the same in all tabs. */

import { t } from "../i18n/index.ts";
import { Database, type Files, type Kept } from "./database.ts";
import { thumbnail } from "./thumbnail.ts";

/**
 * Pictures that are drawn at once; more when the end of the list comes into view. An image that begins to load takes the main
 * thread a millisecond or two.
 */
const BATCH = 12;

export class Gallery {
  readonly #database = new Database();
  readonly #tabs = new BroadcastChannel("imagen-gallery");
  readonly #changed: () => void;
  /** Addresses of the small pictures, by id. */
  readonly #addresses = new Map<string, { blob: Blob; url: string }>();
  #list: Kept[] = [];
  #shown = BATCH;
  /** What was deleted last, until something else is. */
  #removed: { kept: Kept; files: Files } | undefined;
  /** Changes that this tab made. */
  #own = 0;
  /** Counts changes, for a view that is drawn again only then. */
  version = 0;
  /** What went wrong last. */
  trouble: (() => string) | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#tabs.onmessage = () => this.#read();
    this.#read();
  }

  get count(): number {
    return this.#list.length;
  }

  /** The newest, as many as are shown by now. */
  get visible(): readonly Kept[] {
    return this.#list.slice(0, this.#shown);
  }

  get undoable(): boolean {
    return this.#removed !== undefined;
  }

  more(): void {
    if (this.#shown >= this.#list.length) return;
    this.#shown += BATCH;
    this.#told();
  }

  find(id: string): Kept | undefined {
    return this.#list.find((kept) => kept.id === id);
  }

  /** The picture before or behind another one. */
  beside(id: string, by: 1 | -1): Kept | undefined {
    const at = this.#list.findIndex((kept) => kept.id === id);
    return at < 0 ? undefined : this.#list[at + by];
  }

  address({ id, thumbnail: blob }: Kept): string {
    const known = this.#addresses.get(id);
    if (known?.blob === blob) return known.url;
    if (known) URL.revokeObjectURL(known.url);
    const url = URL.createObjectURL(blob);
    this.#addresses.set(id, { blob, url });
    return url;
  }

  files(id: string): Promise<Files> {
    return this.#database.files(id);
  }

  /** Keeps a picture. One that has no room is said to have none; what was kept before stays. */
  async keep(about: Omit<Kept, "sizes" | "thumbnail">, files: Files): Promise<void> {
    const sizes = [...files.keys()].sort((a, b) => a - b);
    const largest = sizes.at(-1) ?? 0;
    const png = files.get(largest);
    if (!png) return;
    try {
      const kept = { ...about, sizes, thumbnail: await thumbnail(png, largest) };
      await this.#database.put(kept, files);
      this.trouble = undefined;
      this.#change([kept, ...this.#list.filter((other) => other.id !== kept.id)]);
    } catch (error) {
      this.failed(error);
    }
  }

  async remove(id: string): Promise<void> {
    const kept = this.find(id);
    if (!kept) return;
    try {
      // Read first, so that it can be put back.
      const files = await this.#database.files(id);
      await this.#database.remove(id);
      this.#removed = { kept, files };
      this.#change(this.#list.filter((other) => other.id !== id));
    } catch (error) {
      this.failed(error);
    }
  }

  async undo(): Promise<void> {
    const removed = this.#removed;
    if (!removed) return;
    this.#removed = undefined;
    try {
      await this.#database.put(removed.kept, removed.files);
      this.#change([removed.kept, ...this.#list]);
    } catch (error) {
      this.failed(error);
    }
  }

  async clear(): Promise<void> {
    try {
      await this.#database.clear();
      this.#removed = undefined;
      this.#change([]);
    } catch (error) {
      this.failed(error);
    }
  }

  /** All pictures in one archive. Its library is fetched when it is first used. */
  async exportAll(): Promise<Blob | undefined> {
    const { archive } = await import("./export.ts");
    try {
      return await archive(this.#list, (kept) => this.#database.largest(kept));
    } catch (error) {
      this.failed(error);
      return undefined;
    }
  }

  /** What other tabs have changed is read again. */
  async #read(): Promise<void> {
    const before = this.#own;
    try {
      const list = await this.#database.list();
      // What this tab changed meanwhile may not be in it.
      if (before === this.#own) this.#take(list);
      else await this.#read();
    } catch (error) {
      this.failed(error);
    }
  }

  /** What this tab has changed is known without reading, and told to the others. */
  #change(list: Kept[]): void {
    this.#own += 1;
    this.#take(list.sort((a, b) => b.created - a.created));
    this.#tabs.postMessage(null);
  }

  #take(list: Kept[]): void {
    this.#list = list;
    for (const [id, { url }] of this.#addresses) {
      if (this.find(id)) continue;
      URL.revokeObjectURL(url);
      this.#addresses.delete(id);
    }
    this.#told();
  }

  #told(): void {
    this.version += 1;
    this.#changed();
  }

  /** Something about the gallery did not work. */
  failed(error: unknown): void {
    const full = error instanceof DOMException && error.name === "QuotaExceededError";
    const reason = error instanceof Error ? error.message : String(error);
    this.trouble = () => (full ? t.galleryFull : t.galleryTrouble(reason));
    this.#told();
  }
}
