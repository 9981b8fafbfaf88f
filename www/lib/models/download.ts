/**
 * Fetches what is missing of a model's files, piece by piece and several at once. A piece counts only when its SHA-256
 * is right and it is safe in storage.
 *
 * A host that knows no ranges sends each file whole: its pieces are cut from the stream, those that are there already
 * are passed by, and a file that was interrupted is received from its first byte again.
 */

import { next, receive, refused, request, Transient } from "./http.ts";
import { type FileEntry, pieceCount, pieceRange, sha256Hex } from "./pieces.ts";
import { Slots } from "./slots.ts";
import type { PieceFile } from "./storage.ts";
import { StoreError } from "./store-error.ts";

/** Further tries after the connection failed, and the pause before each, in milliseconds. */
const PAUSES = [500, 1500, 4000];
/** Further tries after a wrong hash. */
const AGAIN = 2;

/** `bytes` more are on this side; negative where they have to come again. */
export type Received = (bytes: number) => void;

export class Download {
  readonly #address: (entry: FileEntry) => URL;
  readonly #cache: RequestCache;
  readonly #signal: AbortSignal;
  readonly #noRanges: () => void;
  readonly #slots: Slots;
  #ranges = true;

  /**
   * `address` tells where a file lies; `cache` says what the browser's own cache is to do; `atOnce` pieces are on their way at
   * most; `noRanges` is called where the host sends files only whole.
   */
  constructor(
    address: (entry: FileEntry) => URL,
    cache: RequestCache,
    atOnce: number,
    signal: AbortSignal,
    noRanges: () => void,
  ) {
    this.#address = address;
    this.#cache = cache;
    this.#slots = new Slots(atOnce);
    this.#signal = signal;
    this.#noRanges = noRanges;
  }

  /** Fetches the missing pieces, until one fails. What has arrived before an error or a stop is kept. */
  async fetch(file: PieceFile, cache = this.#cache, received: Received = () => {}): Promise<void> {
    const { entry } = file.record;
    const [first, ...others] = file.record.missing();
    if (first === undefined) return;
    if (pieceCount(entry) > 1 && !this.#ranges) return this.#slots.run(() => this.#whole(file, cache, received));
    // The first answer tells whether the host knows ranges.
    const ranged = await this.#slots.run(() => this.#piece(file, first, cache, received));
    if (!ranged) {
      this.#ranges = false;
      this.#noRanges();
      return this.#slots.run(() => this.#whole(file, cache, received));
    }
    const failures: unknown[] = [];
    const get = async (index: number) => {
      // A host that is gone would be asked for each of them; those that are on their way still write to the file.
      if (failures.length > 0) return;
      try {
        if (await this.#piece(file, index, cache, received)) return;
        throw new StoreError("unreachable", { code: "rangesSometimes", host: this.#address(entry).host });
      } catch (error) {
        failures.push(error);
      }
    };
    await Promise.all(others.map((index) => this.#slots.run(() => get(index))));
    if (failures.length > 0) throw failures[0];
  }

  /** Fetches a piece until it is right. False where the host would send all of the file instead. */
  async #piece(file: PieceFile, index: number, first: RequestCache, received: Received): Promise<boolean> {
    const { entry } = file.record;
    for (let wrong = 0; ; wrong += 1) {
      const cache = wrong === 0 ? first : "reload";
      const bytes = await this.#retrying(() => this.#receivePiece(entry, index, cache, received));
      if (!bytes) return false;
      const hash = await sha256Hex(bytes);
      if (file.record.fits(index, hash)) {
        file.put(index, bytes, hash);
        return true;
      }
      received(-bytes.byteLength);
      if (wrong === AGAIN) throw damaged(entry);
    }
  }

  async #receivePiece(
    entry: FileEntry,
    index: number,
    cache: RequestCache,
    received: Received,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { start, end } = pieceRange(entry, index);
    const part = pieceCount(entry) > 1;
    const url = this.#address(entry);
    const headers: HeadersInit = part ? { Range: `bytes=${start}-${end - 1}` } : {};
    const abort = new AbortController();
    const signal = AbortSignal.any([this.#signal, abort.signal]);
    const response = await request(url, { headers, cache, signal });
    if (part && response.status === 200) {
      abort.abort();
      return undefined;
    }
    if (response.status === 416) throw wrongSize(entry);
    if (response.status !== (part ? 206 : 200)) throw refused(url, response);
    const told = response.headers.get("Content-Range")?.match(/^bytes (\d+)-\d+\/(\d+|\*)$/);
    if (part && told && (Number(told[1]) !== start || (told[2] !== "*" && Number(told[2]) !== entry.size))) {
      abort.abort();
      throw wrongSize(entry);
    }
    const bytes = new Uint8Array(end - start);
    let at = 0;
    try {
      await receive(response, (chunk) => {
        if (at + chunk.byteLength > bytes.byteLength) throw wrongSize(entry);
        bytes.set(chunk, at);
        at += chunk.byteLength;
        received(chunk.byteLength);
      });
      if (at < bytes.byteLength) throw new Transient("unreachable", { code: "endedEarly" });
    } catch (error) {
      abort.abort();
      received(-at);
      throw error;
    }
    return bytes;
  }

  /** Receives the file from its first byte and keeps the pieces that are missing. */
  async #whole(file: PieceFile, first: RequestCache, received: Received): Promise<void> {
    for (let wrong = 0; ; wrong += 1) {
      const cache = wrong === 0 ? first : "reload";
      await this.#retrying(() => this.#receiveWhole(file, cache, received));
      if (file.record.missing().length === 0) return;
      if (wrong === AGAIN) throw damaged(file.record.entry);
    }
  }

  async #receiveWhole(file: PieceFile, cache: RequestCache, received: Received): Promise<void> {
    const { entry } = file.record;
    const url = this.#address(entry);
    const response = await request(url, { cache, signal: this.#signal });
    if (response.status !== 200) throw refused(url, response);
    let index = 0;
    let piece: Uint8Array<ArrayBuffer> | undefined;
    let at = 0;
    let counted = 0;
    const reader = response.body?.getReader();
    try {
      for (let part = reader && (await next(reader)); reader && part && !part.done; part = await next(reader)) {
        let chunk = part.value;
        while (chunk.byteLength > 0) {
          if (index === pieceCount(entry)) throw wrongSize(entry);
          const { start, end } = pieceRange(entry, index);
          const known = file.record.has(index);
          if (!known) piece ??= new Uint8Array(end - start);
          const taken = chunk.subarray(0, end - start - at);
          chunk = chunk.subarray(taken.byteLength);
          if (piece) {
            piece.set(taken, at);
            counted += taken.byteLength;
            received(taken.byteLength);
          }
          at += taken.byteLength;
          if (at < end - start) continue;
          if (piece) {
            const hash = await sha256Hex(piece);
            if (file.record.fits(index, hash)) file.put(index, piece, hash);
            else received(-piece.byteLength);
          }
          [index, piece, at, counted] = [index + 1, undefined, 0, 0];
        }
      }
    } catch (error) {
      void reader?.cancel().catch(() => {});
      received(-counted);
      if (error instanceof StoreError) throw error;
      if (this.#signal.aborted) throw new StoreError("stopped", { code: "stopped" }, { cause: error });
      if (error instanceof TypeError) throw new Transient("unreachable", { code: "brokeOff" }, { cause: error });
      throw StoreError.from(error);
    }
    if (index < pieceCount(entry)) {
      received(-counted);
      throw new Transient("unreachable", { code: "endedEarly" });
    }
  }

  async #retrying<T>(work: () => Promise<T>): Promise<T> {
    for (const pause of PAUSES) {
      this.#signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Transient)) throw error;
      }
      await rest(pause, this.#signal);
    }
    this.#signal.throwIfAborted();
    return work();
  }
}

/** Waits, but not on when the download is stopped. */
function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
  });
}

export function damaged({ file }: FileEntry): StoreError {
  return new StoreError("damaged", { code: "hostDamaged", file });
}

function wrongSize({ file, size }: FileEntry): StoreError {
  return new StoreError("damaged", { code: "hostSize", file, size });
}
