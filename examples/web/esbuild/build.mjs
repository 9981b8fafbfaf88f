import { cpSync } from "node:fs";
import { build } from "esbuild";

await build({ entryPoints: ["src/main.js"], bundle: true, format: "esm", minify: true, outdir: "dist" });

// esbuild leaves `new URL(…, import.meta.url)` as it is: what the package finds by it has to lie beside the bundle.
for (const file of ["worker.js", "store-worker.js", "imagen_web_bg.wasm"]) {
  cpSync(`node_modules/imagen-web/dist/${file}`, `dist/${file}`);
}
cpSync("node_modules/imagen-web-storybook/model", "dist/storybook", { recursive: true });
