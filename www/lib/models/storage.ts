/** What the store needs of a place that keeps bytes: `opfs.ts`, or `memory.ts` where there is none. */

import type { FileEntry, PieceRecord } from "./pieces.ts";

/** A file that is being filled; nobody else has it open for writing. */
export interface PieceFile {
  readonly record: PieceRecord;
  /** Bytes that are reserved for it. */
  readonly taken: number;
  /** Takes or gives back room, at the file's end. Throws where there is too little. */
  reserve(size: number): void;
  /** Writes a piece, and notes it once it is safe. */
  put(index: number, bytes: Uint8Array<ArrayBuffer>, hash: string): void;
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Notes that the whole file has its hash. */
  seal(): void;
  /** Forgets pieces, and with any of them that the whole file has its hash: they are fetched again. */
  drop(indices: number[]): void;
  close(): void;
}

export interface Storage {
  /** Whether what it keeps is there on the next visit. */
  readonly lasting: boolean;
  open(key: string, entry: FileEntry): Promise<PieceFile>;
  /** What is there of a file, and the bytes that are reserved for it. */
  look(key: string, entry: FileEntry): Promise<{ record: PieceRecord; taken: number }>;
  /** The file for reading, at most as long as it was written. */
  blob(key: string): Promise<Blob>;
  /** Keys of all files. */
  keys(): Promise<string[]>;
  delete(key: string): Promise<void>;
  /** Small texts by name. */
  notes(): Promise<Map<string, string>>;
  note(name: string, text: string): Promise<void>;
  forget(name: string): Promise<void>;
}
