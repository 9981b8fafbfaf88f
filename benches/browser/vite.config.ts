/** Serves the comparison's page, and what was built and exported for it. */

import { resolve } from "node:path";
import { defineConfig } from "vite";

const ROOT = resolve(import.meta.dirname, "../..");

export default defineConfig({
  root: resolve(import.meta.dirname, "page"),
  publicDir: resolve(ROOT, "out/bench"),
  cacheDir: resolve(ROOT, "out/bench/.vite"),
  // It finds its WASM beside itself.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  server: { fs: { allow: [ROOT] }, watch: null, hmr: false },
  logLevel: "warn",
});
