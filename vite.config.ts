/** Builds www/ into dist/: a static site with relative URLs only, so that it works in any folder of any host. */

import { cpSync, existsSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { serviceWorker } from "./www/service-worker/plugin.ts";

const MODEL = "models/storybook";

/** The default model travels with the page: it is served from the page's own origin. */
function copyModel(): Plugin {
  let out = "";
  return {
    name: "copy-model",
    apply: "build",
    configResolved(config) {
      out = resolve(config.root, config.build.outDir, MODEL);
    },
    closeBundle() {
      const model = resolve(import.meta.dirname, MODEL);
      if (existsSync(model)) cpSync(model, out, { recursive: true });
      else this.warn(`${MODEL} is missing: the page will say that it cannot find its model`);
    },
  };
}

export default defineConfig({
  root: "www",
  base: "./",
  plugins: [copyModel(), serviceWorker()],
  build: { outDir: "../dist", emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
  worker: { format: "es" },
});
