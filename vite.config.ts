/** Builds www/ into dist/: a static site with relative URLs only, so that it works in any folder of any host. */

import { cpSync, existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { serviceWorker } from "./www/service-worker/plugin.ts";

const MODEL = "models/storybook";

/** What the page says of its model before it has read its manifest (`www/src/models/built-in.ts`). */
function builtInModel(): object | null {
  const manifest = resolve(import.meta.dirname, MODEL, "imagen.json");
  if (!existsSync(manifest)) return null;
  const { name, version, license, examples, tokenizer, text_encoder, stages } = JSON.parse(
    readFileSync(manifest, "utf8"),
  );
  const weights = stages.map((stage: { weights: object }) => stage.weights);
  const files: { size: number }[] = [tokenizer, text_encoder, ...weights].filter(Boolean);
  return { name, version, license, examples, bytes: files.reduce((bytes, { size }) => bytes + size, 0) };
}

/** A folder that travels with the page: it is served from the page's own origin. */
function copy(from: string, to: string, otherwise: string): Plugin {
  let out = "";
  return {
    name: `copy-${to}`,
    apply: "build",
    configResolved(config) {
      out = resolve(config.root, config.build.outDir, to);
    },
    closeBundle() {
      const folder = resolve(import.meta.dirname, from);
      if (existsSync(folder)) cpSync(folder, out, { recursive: true });
      else this.warn(`${from} is missing: ${otherwise}`);
    },
  };
}

export default defineConfig({
  root: "www",
  base: "./",
  plugins: [
    copy(MODEL, MODEL, "the page will say that it cannot find its model"),
    // Built by docs/site/build.mjs.
    copy("out/site", "docs", "links to the documentation lead nowhere"),
    serviceWorker(),
  ],
  define: { BUILT_IN_MODEL: JSON.stringify(builtInModel()) },
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    // Where a browser does not know it, a part of the page comes a moment later.
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
});
