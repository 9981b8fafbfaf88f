/**
 * Where the browser keeps no files for a page: pieces as Blobs, which lie outside the JavaScript heap, until the page is
 * closed.
 */

import { type FileEntry, NOTHING, PieceRecord, pieceCount } from "./pieces.ts";
import type { PieceFile, Storage } from "./storage.ts";

export class Memory implements Storage {
  readonly lasting = false;
  readonly #files = new Map<string, MemoryFile>();
  readonly #notes = new Map<string, string>();

  async open(key: string, entry: FileEntry): Promise<PieceFile> {
    const file = this.#files.get(key) ?? new MemoryFile(entry);
    this.#files.set(key, file);
    return file;
  }

  async look(key: string, entry: FileEntry): Promise<{ record: PieceRecord; taken: number }> {
    const record = this.#files.get(key)?.record ?? new PieceRecord(entry);
    return { record, taken: record.held };
  }

  async blob(key: string): Promise<Blob> {
    return this.#files.get(key)?.blob() ?? new Blob();
  }

  async keys(): Promise<string[]> {
    return [...this.#files.keys()];
  }

  async delete(key: string): Promise<void> {
    this.#files.delete(key);
  }

  async notes(): Promise<Map<string, string>> {
    return new Map(this.#notes);
  }

  async note(name: string, text: string): Promise<void> {
    this.#notes.set(name, text);
  }

  async forget(name: string): Promise<void> {
    this.#notes.delete(name);
  }
}

class MemoryFile implements PieceFile {
  readonly record: PieceRecord;
  readonly #pieces: Blob[] = [];

  constructor(entry: FileEntry) {
    this.record = new PieceRecord(entry);
  }

  get taken(): number {
    return this.record.held;
  }

  reserve(): void {}

  put(index: number, bytes: Uint8Array<ArrayBuffer>, hash: string): void {
    this.#pieces[index] = new Blob([bytes]);
    this.record.set(index, hash);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return new Uint8Array(
      await this.blob()
        .slice(offset, offset + length)
        .arrayBuffer(),
    );
  }

  seal(): void {
    this.record.set(pieceCount(this.record.entry), this.record.entry.sha256);
  }

  drop(indices: number[]): void {
    for (const index of indices) this.record.set(index, NOTHING);
    if (indices.length > 0) this.record.set(pieceCount(this.record.entry), NOTHING);
  }

  close(): void {}

  blob(): Blob {
    return new Blob(this.#pieces);
  }
}
