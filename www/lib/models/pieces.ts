/**
 * Files as the manifest describes them, and which of their pieces lie in storage.
 *
 * A record has 32 bytes per piece: the SHA-256 of what lies there, or zeros. It is written after the piece itself is on
 * the disk, so a crash between the two costs that piece and nothing else, and a record that was half written equals no
 * hash. Its last 32 bytes are the whole file's SHA-256, once that was checked: for files whose pieces are not listed.
 */

import { sha256 } from "../../pkg/imagen_web.js";

/** Bytes of a piece, as docs/imagen.schema.json fixes it; the last one is shorter. */
export const PIECE = 16 * 1024 * 1024;

const HASH = 32;

/** The hash of a piece that is not there. */
export const NOTHING = "0".repeat(2 * HASH);

/** A file of a manifest that Rust has checked. `pieces` is empty where only the whole file's hash is known. */
export interface FileEntry {
  file: string;
  size: number;
  sha256: string;
  pieces: string[];
}

export function pieceCount(entry: FileEntry): number {
  return Math.ceil(entry.size / PIECE);
}

/** Where a piece lies: its first byte, and the one behind its last. */
export function pieceRange(entry: FileEntry, index: number): { start: number; end: number } {
  return { start: index * PIECE, end: Math.min(entry.size, (index + 1) * PIECE) };
}

/**
 * The name of a file in storage: models that hold the same file share it. All hashes are in it, so that no manifest can
 * put other bytes under the name of another's file.
 */
export async function storageKey({ size, sha256, pieces }: FileEntry): Promise<string> {
  return sha256Hex(new TextEncoder().encode(JSON.stringify([size, sha256, pieces])));
}

export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  // A page over plain http has no crypto.subtle.
  if (!self.isSecureContext) return sha256(bytes);
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** Which pieces of a file are there. */
export class PieceRecord {
  readonly entry: FileEntry;
  readonly bytes: Uint8Array<ArrayBuffer>;

  /** `stored` is what was found; it may have any length, and be damaged. */
  constructor(entry: FileEntry, stored: Uint8Array = new Uint8Array()) {
    this.entry = entry;
    this.bytes = new Uint8Array(PieceRecord.length(entry));
    this.bytes.set(stored.subarray(0, this.bytes.length));
  }

  static length(entry: FileEntry): number {
    return (pieceCount(entry) + 1) * HASH;
  }

  /** Forgets pieces that end behind `size`, the file's: it was cut from outside, since a piece is noted after it is written. */
  cut(size: number): number[] {
    const lost = this.indices().filter((index) => this.has(index) && pieceRange(this.entry, index).end > size);
    for (const index of lost) this.set(index, NOTHING);
    return lost;
  }

  has(index: number): boolean {
    const found = this.hash(index);
    return found !== NOTHING && this.fits(index, found);
  }

  /** Whether a piece with this hash may be the file's, as far as the manifest says. */
  fits(index: number, hash: string): boolean {
    const expected = this.entry.pieces[index];
    return expected === undefined || expected === hash;
  }

  indices(): number[] {
    return Array.from({ length: pieceCount(this.entry) }, (_, index) => index);
  }

  missing(): number[] {
    return this.indices().filter((index) => !this.has(index));
  }

  /** Bytes that are there. */
  get held(): number {
    const missing = this.missing().map((index) => pieceRange(this.entry, index));
    return this.entry.size - missing.reduce((bytes, { start, end }) => bytes + end - start, 0);
  }

  /** All of it is there and has the hash of the manifest. */
  get whole(): boolean {
    if (this.missing().length > 0) return false;
    return this.entry.pieces.length > 0 || this.hash(pieceCount(this.entry)) === this.entry.sha256;
  }

  /** Notes a piece, or behind the last one the whole file, and returns where in the record that stands. */
  set(index: number, hash: string): { offset: number; bytes: Uint8Array<ArrayBuffer> } {
    const offset = index * HASH;
    const bytes = fromHex(hash);
    this.bytes.set(bytes, offset);
    return { offset, bytes };
  }

  /** What was noted of a piece; behind the last one, of the whole file. */
  hash(index: number): string {
    return toHex(this.bytes.subarray(index * HASH, (index + 1) * HASH));
  }
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
