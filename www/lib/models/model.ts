/** What the store knows of one model. */

import { readManifest } from "../../pkg/imagen_web.js";
import type { ModelCard } from "../protocol.ts";
import type { Told } from "../why.ts";
import { MANIFEST } from "./http.ts";
import { type FileEntry, sha256Hex, storageKey } from "./pieces.ts";
import type { Storage } from "./storage.ts";
import { StoreError } from "./store-error.ts";
import type { ModelKind, ModelState, ModelView } from "./store-protocol.ts";

/** A file and its name in storage. */
export interface StoredFile {
  entry: FileEntry;
  key: string;
}

/** A download that is under way. `ready` has the files that it is to bring, and settles one by one. */
export interface Run {
  abort: AbortController;
  done: Promise<void>;
  ready: Map<string, PromiseWithResolvers<void>>;
}

export class Model {
  readonly id: string;
  readonly kind: ModelKind;
  /** The manifest's address, or the folder's name. */
  readonly origin: string;
  /** Tells the manifest from another one of the same address. */
  readonly revision: string;
  /** The manifest, as it was read. */
  readonly manifest: Uint8Array<ArrayBuffer>;
  readonly card: ModelCard;
  readonly files: StoredFile[];
  /** A local folder's files; else they lie in storage. */
  readonly local: ReadonlyMap<string, File> | undefined;
  /** Where its files lie, if not beside the manifest under their own names. */
  places: Readonly<Record<string, string>> | undefined;
  held = 0;
  whole = false;
  waiting = false;
  run: Run | undefined;
  error: Told | undefined;
  note: Told | undefined;
  /** What the model's address has now, while not all of that is here. */
  newer: Model | undefined;

  private constructor(
    id: string,
    kind: ModelKind,
    origin: string,
    revision: string,
    manifest: Uint8Array<ArrayBuffer>,
    card: ModelCard,
    files: StoredFile[],
    local?: ReadonlyMap<string, File>,
  ) {
    this.id = id;
    this.kind = kind;
    this.origin = origin;
    this.revision = revision;
    this.manifest = manifest;
    this.card = card;
    this.files = files;
    this.local = local;
  }

  /** @throws StoreError `manifest` for one that Rust refuses. */
  static async read(
    id: string,
    kind: ModelKind,
    origin: string,
    manifest: Uint8Array<ArrayBuffer>,
    local?: ReadonlyMap<string, File>,
  ): Promise<Model> {
    let card: ModelCard;
    try {
      card = readManifest(manifest) as ModelCard;
    } catch (error) {
      const reason = (error as { message?: string }).message ?? String(error);
      throw new StoreError("manifest", { code: "manifestRefused", address: origin, reason }, { cause: error });
    }
    const files = await Promise.all(card.files.map(async (entry) => ({ entry, key: await storageKey(entry) })));
    return new Model(id, kind, origin, await sha256Hex(manifest), manifest, card, files, local);
  }

  /** Looks at what is there of its files. */
  async measure(storage: Storage): Promise<void> {
    await this.newer?.measure(storage);
    if (this.local) {
      [this.held, this.whole] = [this.card.bytes, true];
      return;
    }
    const seen = await Promise.all(this.files.map(({ key, entry }) => storage.look(key, entry)));
    this.held = seen.reduce((bytes, { record }) => bytes + record.held, 0);
    this.whole = seen.every(({ record }) => record.whole);
  }

  /** Where a file is fetched from. */
  address({ file }: FileEntry): URL {
    const placed = this.places && Object.hasOwn(this.places, file);
    return new URL((placed && this.places?.[file]) || file, this.origin);
  }

  /** @throws StoreError where a local folder lacks the file, or has another of its name. */
  localFile({ file: name, size }: FileEntry): File {
    const file = this.local?.get(name);
    if (!file) {
      throw new StoreError("missing", { code: "folderLacks", folder: this.origin, file: name, manifest: MANIFEST });
    }
    if (file.size === size) return file;
    throw new StoreError("damaged", { code: "folderSize", file: name, actual: file.size, size });
  }

  /** Something of it is being fetched. */
  get busy(): boolean {
    return this.run !== undefined || this.newer?.run !== undefined;
  }

  get state(): ModelState {
    if (this.run) return this.waiting ? "waiting" : "downloading";
    return this.whole ? "whole" : "partial";
  }

  view(): ModelView {
    const { id, kind, origin, revision, held, state, error, note } = this;
    const { name, version, license, bytes } = this.card;
    const newer = this.newer?.view();
    return { id, kind, origin, revision, held, state, error, note, name, version, license, bytes, newer };
  }
}
