/**
 * The list of stored models: a note in storage for each, with its address and its manifest. A note is written before the
 * first byte of a file, so every file that no note names is left over and may go.
 */

import { alone, ifFree } from "./locks.ts";
import { Model } from "./model.ts";
import type { Storage } from "./storage.ts";
import { BUILT_IN, type ModelKind } from "./store-protocol.ts";

interface Note {
  address: string;
  manifest: string;
  /** Of what the address has now, while not all of that is here. */
  newer?: string;
  /** See `Model.places`. */
  places?: Record<string, string>;
}

export class Library {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** All models with a note that can be read and that Rust accepts. */
  read(): Promise<Model[]> {
    return alone(() => this.#read());
  }

  async #read(): Promise<Model[]> {
    const models: Model[] = [];
    for (const [id, text] of await this.#storage.notes()) {
      const note = parse(text);
      if (!note) continue;
      const kind: ModelKind = id === BUILT_IN ? BUILT_IN : "url";
      try {
        const read = async (manifest: string) => {
          const model = await Model.read(id, kind, note.address, new TextEncoder().encode(manifest));
          model.places = note.places;
          return model;
        };
        const model = await read(note.manifest);
        if (note.newer !== undefined) model.newer = await read(note.newer);
        models.push(model);
      } catch {
        // Written by another version of the page; adding the model again replaces it.
      }
    }
    return models;
  }

  add(model: Model): Promise<void> {
    const { origin: address, newer } = model;
    // One that has a newer version is whole, so nothing more is fetched of it.
    const { places } = newer ?? model;
    const text = ({ manifest }: Model) => new TextDecoder().decode(manifest);
    const note: Note = {
      address,
      manifest: text(model),
      ...(newer && { newer: text(newer) }),
      ...(places && { places }),
    };
    return alone(() => this.#storage.note(model.id, JSON.stringify(note)));
  }

  remove(model: Model): Promise<void> {
    return alone(() => this.#storage.forget(model.id));
  }

  /** Keys of the files that models other than this one have. */
  async used(but: string): Promise<Set<string>> {
    return keys((await this.read()).filter(({ id }) => id !== but));
  }

  /** Deletes files that no model has, but for those that somebody is using. */
  sweep(): Promise<void> {
    return alone(async () => {
      const models = await this.#read();
      // What belongs to a model that only another version of the page can read is not for this one to delete.
      if (models.length < (await this.#storage.notes()).size) return;
      const used = keys(models);
      for (const key of await this.#storage.keys()) {
        if (!used.has(key)) await ifFree(key, () => this.#storage.delete(key));
      }
    });
  }
}

function keys(models: Model[]): Set<string> {
  return new Set(models.flatMap(({ files, newer }) => [...files, ...(newer?.files ?? [])].map(({ key }) => key)));
}

function parse(text: string): Note | undefined {
  try {
    const { address, manifest, newer, places } = JSON.parse(text) as Partial<Note>;
    if (typeof address !== "string" || typeof manifest !== "string") return undefined;
    return { address, manifest, ...(typeof newer === "string" && { newer }), ...(places && { places }) };
  } catch {
    return undefined;
  }
}
