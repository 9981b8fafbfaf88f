/**
 * Serves dist/ as static hosts do: with brotli, and hashed names kept for ever. `node scripts/static-host.mjs PORT`.
 */

import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, relative, resolve } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const DIST = resolve(import.meta.dirname, "../dist");
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};
const COMPRESSED = /\.(html|js|css|json|svg|wasm|webmanifest)$/;

// Before the first request: nobody waits for the compression.
const files = new Map();
for (const entry of readdirSync(DIST, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
  const packed = COMPRESSED.test(path) && brotliCompressSync(readFileSync(path), { params });
  files.set(`/${relative(DIST, path)}`, { path, packed });
}

createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://host");
  const file = files.get(pathname.endsWith("/") ? `${pathname}index.html` : pathname);
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  const { path, packed } = file;
  response.setHeader("Content-Type", TYPES[extname(path)] ?? "application/octet-stream");
  response.setHeader("Cache-Control", /\/assets\//.test(pathname) ? "max-age=31536000, immutable" : "no-cache");
  if (packed && /\bbr\b/.test(request.headers["accept-encoding"] ?? "")) {
    response.writeHead(200, { "Content-Encoding": "br", "Content-Length": packed.length }).end(packed);
  } else {
    createReadStream(path).pipe(response);
  }
}).listen(Number(process.argv[2]), "localhost");
