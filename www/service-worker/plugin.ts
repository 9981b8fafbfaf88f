/** Vite's part of the offline page: the service worker, built last, with the list of all files that the build has made. */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { build, type Plugin } from "vite";

/** Where the models lie, which the page keeps by itself. */
const MODELS = "models";
/** Files whose names have the hash of their content. */
const HASHED = /^assets\/.*-[\w-]{8}\.\w+$/;

export function serviceWorker(): Plugin {
  let out = "";
  return {
    name: "service-worker",
    apply: "build",
    configResolved(config) {
      out = resolve(config.root, config.build.outDir);
    },
    closeBundle: {
      order: "post",
      sequential: true,
      async handler() {
        await build({
          configFile: false,
          root: import.meta.dirname,
          publicDir: false,
          logLevel: "warn",
          define: { "process.env.NODE_ENV": '"production"', PRECACHE: JSON.stringify(entries(out)) },
          build: {
            outDir: out,
            emptyOutDir: false,
            // Not every browser takes modules as service workers.
            lib: {
              entry: "service-worker.ts",
              formats: ["iife"],
              name: "serviceWorker",
              fileName: () => "service-worker.js",
            },
          },
        });
      },
    },
  };
}

/** What the service worker keeps, as Workbox takes it: a null revision says that the name changes with the content. */
function entries(folder: string): { url: string; revision: string | null }[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const urls = files.map(({ parentPath, name }) => relative(folder, join(parentPath, name)).split(sep).join("/"));
  const kept = urls.filter((url) => url !== "service-worker.js" && !url.startsWith(`${MODELS}/`));
  return kept.sort().map((url) => ({ url, revision: HASHED.test(url) ? null : hash(join(folder, url)) }));
}

function hash(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);
}
