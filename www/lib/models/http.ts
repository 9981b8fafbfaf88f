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
    throw new StoreError("address", `${trimmed || "nothing"} is no address of a model; it begins with https://`);
  }
  if (url.username || url.password) throw new StoreError("address", "an address with a password in it is not used");
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
    if (size > MAX_MANIFEST) throw new StoreError("manifest", `${url.href} is too large for a manifest`);
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
    if (init.signal?.aborted) throw new StoreError("stopped", "stopped", { cause: error });
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
  const message = `nothing has come for ${SILENCE / 1000} seconds; check the connection and try again`;
  return new Transient("unreachable", message);
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
    throw new Transient("unreachable", "the connection broke off; check it and try again", { cause: error });
  }
}

/** The error for an answer that is not the file. */
export function refused(url: URL, { status }: Response): StoreError {
  const name = url.pathname.split("/").at(-1) ?? url.href;
  if (status === 404 || status === 410) {
    const message = `${url.host} has no ${name} there (${status}); check the address, or ask who put the model there`;
    return new StoreError("missing", message);
  }
  if (status === 401 || status === 403) {
    return new StoreError("forbidden", `${url.host} does not give out ${name} to everyone (${status})`);
  }
  const message = `${url.host} answered ${status} for ${name}; try again later`;
  const busy = status === 408 || status === 429 || status >= 500;
  return busy ? new Transient("unreachable", message) : new StoreError("unreachable", message);
}

/** A browser tells a page alike that there is no such host and that it must not read; an opaque request tells which. */
async function unreachable(url: URL, cause: unknown): Promise<StoreError> {
  if (url.origin !== self.location.origin) {
    try {
      await fetch(url, { mode: "no-cors", method: "HEAD", cache: "no-store" });
      const message = `${url.host} answers, but does not allow other pages to read its files (CORS): it has to send Access-Control-Allow-Origin`;
      return new StoreError("forbidden", message, { cause });
    } catch {
      // It does not answer either.
    }
  }
  const insecure = self.location.protocol === "https:" && url.protocol === "http:";
  const hint = insecure ? "a page over https may only load models over https" : "check the address and the connection";
  return new Transient("unreachable", `${url.host} cannot be reached; ${hint}`, { cause });
}
