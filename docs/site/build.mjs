/**
 * Builds docs/ into a site: `node docs/site/build.mjs [FOLDER]`; vite.config.ts takes it from out/site. The API's reference comes from the types in www/lib (TypeDoc), all
 * pages from Markdown (Eleventy).
 */

import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { Eleventy } from "@11ty/eleventy";
import { Application } from "typedoc";

const SITE = import.meta.dirname;
const ROOT = resolve(SITE, "../..");
const SOURCES = join(ROOT, "out/docs");
const target = resolve(process.argv[2] ?? join(ROOT, "out/site"));

async function reference() {
  const lib = join(ROOT, "www/lib");
  const app = await Application.bootstrapWithPlugins({
    name: "API",
    entryPoints: [join(lib, "imagen.ts"), join(lib, "element.ts")],
    tsconfig: join(ROOT, "www/tsconfig.json"),
    plugin: ["typedoc-plugin-markdown"],
    outputs: [{ name: "markdown", path: join(SOURCES, "api") }],
    readme: "none",
    entryFileName: "index",
    mergeReadme: false,
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    disableSources: true,
    // The page's own check has looked at the types, with the compiler that it is written for.
    skipErrorChecking: true,
    logLevel: "Warn",
  });
  const project = await app.convert();
  if (!project) throw new Error("TypeDoc read no types");
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error("TypeDoc failed");
}

rmSync(SOURCES, { recursive: true, force: true });
rmSync(target, { recursive: true, force: true });
mkdirSync(SOURCES, { recursive: true });
for (const name of readdirSync(join(ROOT, "docs")).filter((name) => /\.(md|json)$/.test(name))) {
  cpSync(join(ROOT, "docs", name), join(SOURCES, name));
}
cpSync(join(ROOT, "benches/browser/README.md"), join(SOURCES, "benchmark.md"));
cpSync(join(SITE, "_includes"), join(SOURCES, "_includes"), { recursive: true });
await reference();

// Eleventy takes all paths relative to where it is started.
process.chdir(SOURCES);
const at = (path) => relative(SOURCES, path);
const site = new Eleventy(".", at(target), { configPath: at(join(SITE, "eleventy.config.js")), quietMode: true });
await site.write();
cpSync(join(SITE, "style.css"), join(target, "style.css"));
cpSync(join(SOURCES, "imagen.schema.json"), join(target, "imagen.schema.json"));
