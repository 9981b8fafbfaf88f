/** A static host of another origin than the page's, with ranges and CORS, that fails in the ways asked for. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";

const CHUNK = 64 * 1024;

/** Bytes that need not lie in memory. */
export interface Served {
  readonly size: number;
  read(start: number, end: number): Buffer;
}

/** What was asked for of a file that is no manifest: bytes `start` to `end` (exclusive), and how many of them were sent. */
export interface Asked {
  file: string;
  start: number;
  end: number;
  sent: number;
}

export class ModelServer {
  readonly files = new Map<string, Buffer | Served>();
  readonly asked: Asked[] = [];
  ranges = true;
  cors = true;
  /** Answers with this status instead of the file. */
  readonly status = new Map<string, number>();
  /** Changes the byte at `offset` of `file` the next `times` times that it is sent. */
  flip: { file: string; offset: number; times: number } | undefined;
  /** Bytes per second and connection. */
  pace = Number.POSITIVE_INFINITY;
  /** Sends nothing more of an answer behind this byte of `file`, the next `times` times. */
  stall: { file: string; offset: number; times: number } | undefined;
  /** Called after so many more bytes of files, once. */
  #alarm: { bytes: number; ring: () => void } | undefined;
  #down = false;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(files: ReadonlyMap<string, Buffer | Served>): Promise<ModelServer> {
    const server = new ModelServer();
    for (const [name, bytes] of files) server.files.set(name, bytes);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/model/imagen.json`;
  }

  /** Resolves when so many more bytes of files were sent. */
  after(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#alarm = { bytes, ring: resolve };
    });
  }

  /** Breaks all connections and takes no more, until `up`. */
  down(): void {
    this.#down = true;
    this.#server.closeAllConnections();
  }

  up(): void {
    this.#down = false;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Bytes of weights files that were sent. */
  get sent(): number {
    return this.asked.reduce((sum, { sent }) => sum + sent, 0);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#down) {
      request.socket.destroy();
      return;
    }
    if (this.cors) response.setHeader("Access-Control-Allow-Origin", "*");
    const file = request.url?.split("/").at(-1) ?? "";
    const found = this.files.get(file);
    const bytes = Buffer.isBuffer(found) ? { size: found.length, read: found.subarray.bind(found) } : found;
    const status = this.status.get(file) ?? (bytes ? 200 : 404);
    if (!bytes || status !== 200) {
      response.writeHead(status).end();
      return;
    }
    const range = this.ranges ? request.headers.range?.match(/^bytes=(\d+)-(\d+)$/) : undefined;
    const [start, end] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, bytes.size];
    if (range) response.setHeader("Content-Range", `bytes ${start}-${end - 1}/${bytes.size}`);
    response.writeHead(range ? 206 : 200, {
      "Content-Length": end - start,
      "Content-Type": "application/octet-stream",
    });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    const asked: Asked = { file, start, end, sent: 0 };
    if (isPart(file)) this.asked.push(asked);
    // A client that goes away ends this with an error.
    await pipeline(this.#chunks(asked, bytes), response);
  }

  async *#chunks(asked: Asked, bytes: Served): AsyncGenerator<Buffer> {
    const { file, start, end } = asked;
    for (let at = start; at < end; at += CHUNK) {
      if (this.#stalls(file, at)) await new Promise(() => {});
      yield this.#damaged(file, at, bytes.read(at, Math.min(at + CHUNK, end)));
      const sent = Math.min(CHUNK, end - at);
      asked.sent += sent;
      if (isPart(file)) this.#count(sent);
      if (Number.isFinite(this.pace)) await setTimeout((CHUNK / this.pace) * 1000);
    }
  }

  #stalls(file: string, at: number): boolean {
    const { stall } = this;
    if (stall?.file !== file || stall.offset !== at || stall.times === 0) return false;
    stall.times -= 1;
    return true;
  }

  #damaged(file: string, at: number, chunk: Buffer): Buffer {
    const { flip } = this;
    if (flip?.file !== file || flip.offset < at || flip.offset >= at + chunk.length || flip.times === 0) return chunk;
    flip.times -= 1;
    const copy = Buffer.from(chunk);
    copy[flip.offset - at] = (copy[flip.offset - at] ?? 0) ^ 1;
    return copy;
  }

  #count(bytes: number): void {
    if (!this.#alarm) return;
    this.#alarm.bytes -= bytes;
    if (this.#alarm.bytes > 0) return;
    const { ring } = this.#alarm;
    this.#alarm = undefined;
    ring();
  }
}

/** Manifests are not counted. */
function isPart(file: string): boolean {
  return file === "tokenizer.json" || !file.endsWith(".json");
}
