/**
 * The origin-private file system: `models/files/KEY` is a file, `KEY.pieces` its record, `models/notes/NAME` a note.
 *
 * Written through synchronous access handles, which only a worker has; each is flushed before its record is written.
 */

import { type FileEntry, NOTHING, PIECE, PieceRecord, pieceCount } from "./pieces.ts";
import type { PieceFile, Storage } from "./storage.ts";
import { StoreError } from "./store-error.ts";

const RECORD = ".pieces";

export class Opfs implements Storage {
  readonly lasting = true;
  readonly #files: FileSystemDirectoryHandle;
  readonly #notes: FileSystemDirectoryHandle;

  private constructor(files: FileSystemDirectoryHandle, notes: FileSystemDirectoryHandle) {
    this.#files = files;
    this.#notes = notes;
  }

  /** Rejects where the browser has none for this page (a private window of some). */
  static async open(): Promise<Opfs> {
    if (!("createSyncAccessHandle" in FileSystemFileHandle.prototype)) throw new Error("no synchronous access");
    const root = await navigator.storage.getDirectory();
    const models = await root.getDirectoryHandle("models", { create: true });
    const create = { create: true };
    return new Opfs(await models.getDirectoryHandle("files", create), await models.getDirectoryHandle("notes", create));
  }

  async open(key: string, entry: FileEntry): Promise<PieceFile> {
    const data = await this.#handle(this.#files, key);
    try {
      return new OpfsFile(entry, data, await this.#handle(this.#files, key + RECORD));
    } catch (error) {
      data.close();
      throw error;
    }
  }

  async look(key: string, entry: FileEntry): Promise<{ record: PieceRecord; taken: number }> {
    const data = await existing(this.#files, key);
    const stored = data && (await existing(this.#files, key + RECORD));
    if (!stored) return { record: new PieceRecord(entry), taken: 0 };
    const record = new PieceRecord(entry, new Uint8Array(await stored.arrayBuffer()));
    record.cut(data.size);
    return { record, taken: data.size };
  }

  async blob(key: string): Promise<Blob> {
    const file = await existing(this.#files, key);
    if (!file) throw new StoreError("storage", { code: "deleted" });
    return file;
  }

  async keys(): Promise<string[]> {
    return (await names(this.#files)).filter((name) => !name.endsWith(RECORD));
  }

  async delete(key: string): Promise<void> {
    // The record first: a file without one has no pieces.
    for (const name of [key + RECORD, key]) await remove(this.#files, name);
  }

  async notes(): Promise<Map<string, string>> {
    const notes = new Map<string, string>();
    for (const name of await names(this.#notes)) {
      const file = await existing(this.#notes, name);
      if (file) notes.set(name, await file.text());
    }
    return notes;
  }

  async note(name: string, text: string): Promise<void> {
    const handle = await this.#handle(this.#notes, name);
    try {
      const bytes = new TextEncoder().encode(text);
      handle.truncate(0);
      write(handle, bytes, 0);
      handle.flush();
    } finally {
      handle.close();
    }
  }

  async forget(name: string): Promise<void> {
    await remove(this.#notes, name);
  }

  async #handle(folder: FileSystemDirectoryHandle, name: string): Promise<FileSystemSyncAccessHandle> {
    return (await folder.getFileHandle(name, { create: true })).createSyncAccessHandle();
  }
}

class OpfsFile implements PieceFile {
  readonly record: PieceRecord;
  readonly #data: FileSystemSyncAccessHandle;
  readonly #notes: FileSystemSyncAccessHandle;

  constructor(entry: FileEntry, data: FileSystemSyncAccessHandle, notes: FileSystemSyncAccessHandle) {
    const stored = new Uint8Array(notes.getSize());
    notes.read(stored, { at: 0 });
    this.record = new PieceRecord(entry, stored);
    this.#data = data;
    this.#notes = notes;
    this.drop(this.record.cut(data.getSize()));
  }

  get taken(): number {
    return this.#data.getSize();
  }

  reserve(size: number): void {
    this.#data.truncate(size);
  }

  put(index: number, bytes: Uint8Array<ArrayBuffer>, hash: string): void {
    write(this.#data, bytes, index * PIECE);
    this.#data.flush();
    this.#note(index, hash);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, this.#data.read(bytes, { at: offset }));
  }

  seal(): void {
    this.#note(pieceCount(this.record.entry), this.record.entry.sha256);
  }

  drop(indices: number[]): void {
    for (const index of indices) this.#note(index, NOTHING);
    if (indices.length > 0) this.#note(pieceCount(this.record.entry), NOTHING);
  }

  close(): void {
    this.#data.close();
    this.#notes.close();
  }

  #note(index: number, hash: string): void {
    const { offset, bytes } = this.record.set(index, hash);
    write(this.#notes, bytes, offset);
    this.#notes.flush();
  }
}

function write(handle: FileSystemSyncAccessHandle, bytes: Uint8Array<ArrayBuffer>, at: number): void {
  if (handle.write(bytes, { at }) === bytes.byteLength) return;
  throw new DOMException("the file could not be written whole", "QuotaExceededError");
}

async function existing(folder: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

async function remove(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  try {
    await folder.removeEntry(name);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "NotFoundError")) throw error;
  }
}

async function names(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const found: string[] = [];
  for await (const name of folder.keys()) found.push(name);
  return found;
}
