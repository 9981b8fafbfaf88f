/** Requests to a model's host, with every way in which they fail told apart. */

import { StoreError } from "./store-error.ts";

export const MANIFEST = "imagen.json";

/** As Rust's limit: a larger manifest is a mistake. */
const MAX_MANIFEST = 4 * 1024 * 1024;

/** A connection that brings nothing for so many milliseconds is given up. */
const SILENCE = 20_000;

/** The connection failed, or the host is busy: worth another try. */
export class Transient extends StoreError {}

/** The manifest's address for what a user wrote: the file itself, or the folder that holds it. */
export function manifestAddress(text: string): URL {
  const trimmed = text.trim();
  const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}`;
  const url = URL.canParse(absolute) ? new URL(absolute) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || !url.hostname) {
    throw new StoreError("address", trimmed ? { code: "addressWrong", address: trimmed } : { code: "addressMissing" });
  }
  if (url.username || url.password) throw new StoreError("address", { code: "addressPassword" });
  url.hash = "";
  if (!url.pathname.endsWith(".json")) url.pathname = `${url.pathname.replace(/\/$/, "")}/${MANIFEST}`;
  return url;
}

export async function fetchManifest(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  // Asked for anew each time: it is small, and says whether the model has changed.
  const response = await request(url, { cache: "no-cache" });
  if (response.status !== 200) throw refused(url, response);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  await receive(response, (chunk) => {
    size += chunk.byteLength;
    if (size > MAX_MANIFEST) throw new StoreError("manifest", { code: "manifestTooLarge", address: url.href });
    chunks.push(chunk);
  });
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** Sends a GET; rejects when no answer comes. */
export async function request(url: URL, init: RequestInit): Promise<Response> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE);
  const signal = init.signal ? AbortSignal.any([init.signal, silence.signal]) : silence.signal;
  try {
    return await fetch(url, { ...init, signal, credentials: "same-origin", redirect: "follow" });
  } catch (error) {
    if (init.signal?.aborted) throw new StoreError("stopped", { code: "stopped" }, { cause: error });
    if (silence.signal.aborted) throw stalled();
    throw await unreachable(url, error);
  } finally {
    clearTimeout(timer);
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

/** The next part of a body; rejects when none comes for long. */
export async function next(reader: Reader): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
  const silence = Promise.withResolvers<never>();
  const timer = setTimeout(() => silence.reject(stalled()), SILENCE);
  try {
    return await Promise.race([reader.read(), silence.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function stalled(): Transient {
  return new Transient("unreachable", { code: "silent", seconds: SILENCE / 1000 });
}

/** Hands over the body as it comes. */
export async function receive(response: Response, take: (chunk: Uint8Array<ArrayBuffer>) => void): Promise<void> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (let part = await next(reader); !part.done; part = await next(reader)) take(part.value);
  } catch (error) {
    void reader.cancel().catch(() => {});
    if (error instanceof StoreError) throw error;
    if (error instanceof DOMException && error.name === "AbortError") throw StoreError.from(error);
    throw new Transient("unreachable", { code: "brokeOff" }, { cause: error });
  }
}

/** The error for an answer that is not the file. */
export function refused(url: URL, { status }: Response): StoreError {
  const answered = { host: url.host, file: url.pathname.split("/").at(-1) ?? url.href, status };
  if (status === 404 || status === 410) return new StoreError("missing", { code: "notFound", ...answered });
  if (status === 401 || status === 403) return new StoreError("forbidden", { code: "notPublic", ...answered });
  const why = { code: "refused", ...answered } as const;
  const busy = status === 408 || status === 429 || status >= 500;
  return busy ? new Transient("unreachable", why) : new StoreError("unreachable", why);
}

/** A browser tells a page alike that there is no such host and that it must not read; an opaque request tells which. */
async function unreachable(url: URL, cause: unknown): Promise<StoreError> {
  if (url.origin !== self.location.origin) {
    try {
      await fetch(url, { mode: "no-cors", method: "HEAD", cache: "no-store" });
      return new StoreError("forbidden", { code: "noCors", host: url.host }, { cause });
    } catch {
      // It does not answer either.
    }
  }
  const insecure = self.location.protocol === "https:" && url.protocol === "http:";
  return new Transient("unreachable", { code: insecure ? "insecure" : "unreachable", host: url.host }, { cause });
}
