/** A plain static host: folders of this machine under paths of a site, and nothing that a folder's files do not say. */

import { createReadStream, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

export class SiteServer {
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;

  private constructor(mounts: Record<string, string>) {
    // The longest path first, so that a folder may lie within another.
    const sorted = Object.entries(mounts).sort(([a], [b]) => b.length - a.length);
    this.#server = createServer((request, response) => {
      const path = decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname);
      this.asked.push(path);
      const [mount, folder] = sorted.find(([prefix]) => path.startsWith(prefix)) ?? [];
      const file =
        mount === undefined || folder === undefined
          ? undefined
          : found(join(folder, normalize(`/${path.slice(mount.length)}`)));
      if (!file) {
        response.writeHead(404).end();
        return;
      }
      response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
      createReadStream(file).pipe(response);
    });
  }

  /** `mounts` are folders by the path that they appear under, which ends with a slash. */
  static async start(mounts: Record<string, string>): Promise<SiteServer> {
    const server = new SiteServer(mounts);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** `localhost` is a secure context, as a host with https is. */
  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function found(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return found(join(path, "index.html"));
  return stat?.isFile() ? path : undefined;
}
