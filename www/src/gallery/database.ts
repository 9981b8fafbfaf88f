/**
 * The pictures that this browser keeps, in IndexedDB: a record with a small picture of each, and apart from it the PNGs. A list
 * of thousands reads their keys, and of what is near the view the records.
 */

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { Settings } from "../settings.ts";

/** What the list shows of a picture. */
export interface Kept {
  id: string;
  /** Milliseconds since 1970. */
  created: number;
  settings: Settings;
  /** Name and version of the model. */
  model: string;
  /** Where the model came from, unless it came with the page. */
  address?: string;
  /** Widths of the stages that are kept, smallest first. */
  sizes: number[];
  thumbnail: Blob;
}

/** A picture's PNGs, by width. */
export type Files = Map<number, Blob>;

interface Schema extends DBSchema {
  pictures: { key: string; value: Kept; indexes: { created: number } };
  files: { key: [string, number]; value: Blob };
}

export class Database {
  readonly #open: Promise<IDBPDatabase<Schema>>;

  constructor() {
    this.#open = openDB<Schema>("imagen-gallery", 1, {
      upgrade(database) {
        database.createObjectStore("pictures", { keyPath: "id" }).createIndex("created", "created");
        database.createObjectStore("files");
      },
      // Another tab has a newer page: let it go on.
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    });
    // Whoever asks for something is told.
    this.#open.catch(() => {});
  }

  /** The ids of all, newest first. */
  async ids(): Promise<string[]> {
    const all = await (await this.#open).getAllKeysFromIndex("pictures", "created");
    return all.reverse();
  }

  /** What is kept of some, in their order; nothing where another tab has deleted one meanwhile. */
  async records(ids: readonly string[]): Promise<(Kept | undefined)[]> {
    const { store } = (await this.#open).transaction("pictures");
    // One by one: a list in one answer would be read in one go.
    return Promise.all(ids.map((id) => store.get(id)));
  }

  /** Keeps a picture, or more stages of it; all or nothing. */
  async put(kept: Kept, files: Files): Promise<void> {
    const transaction = (await this.#open).transaction(["pictures", "files"], "readwrite");
    const [pictures, blobs] = [transaction.objectStore("pictures"), transaction.objectStore("files")];
    const written = [pictures.put(kept), ...[...files].map(([size, png]) => blobs.put(png, [kept.id, size]))];
    // A write that had no room only says that it was aborted; the transaction says why.
    await Promise.all([transaction.done, Promise.allSettled(written)]);
  }

  async files(id: string): Promise<Files> {
    const transaction = (await this.#open).transaction("files");
    const range = within(id);
    const [keys, blobs] = await Promise.all([transaction.store.getAllKeys(range), transaction.store.getAll(range)]);
    return new Map(keys.map(([, size], at) => [size, blobs[at] as Blob]));
  }

  /** The largest PNG of a picture. */
  async largest({ id, sizes }: Kept): Promise<Blob | undefined> {
    return (await this.#open).get("files", [id, sizes.at(-1) ?? 0]);
  }

  async remove(id: string): Promise<void> {
    const transaction = (await this.#open).transaction(["pictures", "files"], "readwrite");
    const gone = [transaction.objectStore("pictures").delete(id), transaction.objectStore("files").delete(within(id))];
    await Promise.all([...gone, transaction.done]);
  }

  async clear(): Promise<void> {
    const transaction = (await this.#open).transaction(["pictures", "files"], "readwrite");
    const gone = [transaction.objectStore("pictures").clear(), transaction.objectStore("files").clear()];
    await Promise.all([...gone, transaction.done]);
  }
}

function within(id: string): IDBKeyRange {
  return IDBKeyRange.bound([id, 0], [id, Number.POSITIVE_INFINITY]);
}
