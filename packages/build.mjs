/**
 * Builds and packs the npm packages: `node packages/build.mjs [--model FOLDER] [--out FOLDER]`.
 *
 * `imagen-web` is the API and the element as ES modules, beside them the two workers, each whole in a file of its own, and the
 * WASM: found by `new URL(…, import.meta.url)`, which bundlers understand and browsers too. `imagen-web-storybook` is a model
 * whose module gives the address of every file, so that a bundler may rename them.
 */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { rolldown } from "rolldown";

const ROOT = resolve(import.meta.dirname, "..");
const LIB = join(ROOT, "www/lib");
const WASM = "imagen_web_bg.wasm";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: join(ROOT, "models/storybook") },
    out: { type: "string", default: join(ROOT, "out/npm") },
  },
});

/** All files of the package lie in one folder; the address that wasm-bindgen would use is never used. */
const addresses = {
  name: "addresses",
  transform(code, id) {
    if (id.endsWith("pkg/imagen_web.js")) {
      return code.replace(`new URL('${WASM}', import.meta.url)`, "undefined");
    }
    return code
      .replace(/new URL\("\.\/([\w-]+)\.ts", import\.meta\.url\)/g, 'new URL("./$1.js", import.meta.url)')
      .replace(`new URL("../pkg/${WASM}", import.meta.url)`, `new URL("./${WASM}", import.meta.url)`);
  },
};

async function bundle(input, dir) {
  const built = await rolldown({ input, plugins: [addresses], tsconfig: false });
  await built.write({ dir, format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name].js" });
  await built.close();
}

/** The declarations that the entries lead to. */
function declare(dir) {
  const all = join(dir, ".types");
  execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", join(ROOT, "packages/imagen-web"), "--outDir", all], {
    stdio: "inherit",
  });
  const from = join(all, "lib");
  const seen = new Set();
  const take = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(file, "utf8");
    const target = join(dir, relative(from, file));
    mkdirSync(dirname(target), { recursive: true });
    const imports = /((?:from|import\()\s*["'])(\.[^"']*)\.ts(["'])/g;
    for (const [, , path] of text.matchAll(imports)) take(resolve(dirname(file), `${path}.d.ts`));
    writeFileSync(target, text.replace(imports, "$1$2.js$3"));
  };
  for (const entry of ["imagen", "element"]) take(join(from, `${entry}.d.ts`));
  rmSync(all, { recursive: true });
}

function start(name) {
  const out = join(resolve(options.out), name);
  rmSync(out, { recursive: true, force: true });
  cpSync(join(ROOT, "packages", name), out, {
    recursive: true,
    filter: (path) => !path.endsWith("tsconfig.json"),
  });
  return out;
}

async function buildLibrary() {
  const out = start("imagen-web");
  const dist = join(out, "dist");
  await bundle({ index: join(LIB, "imagen.ts"), element: join(LIB, "element.ts") }, dist);
  await bundle({ worker: join(LIB, "worker.ts") }, dist);
  await bundle({ "store-worker": join(LIB, "models/store-worker.ts") }, dist);
  cpSync(join(ROOT, "www/pkg", WASM), join(dist, WASM));
  declare(dist);
  for (const licence of readdirSync(ROOT).filter((name) => name.startsWith("LICENSE-"))) {
    cpSync(join(ROOT, licence), join(out, licence));
  }
  return out;
}

function buildModel() {
  const out = start("imagen-web-storybook");
  const folder = resolve(options.model);
  const manifest = JSON.parse(readFileSync(join(folder, "imagen.json"), "utf8"));
  const parts = [manifest.tokenizer, manifest.text_encoder, ...manifest.stages.map(({ weights }) => weights)];
  const names = parts.map(({ file }) => file);
  for (const name of ["imagen.json", ...names]) cpSync(join(folder, name), join(out, "model", name));
  cpSync(join(folder, "README.md"), join(out, "README.md"));
  const at = (name) => `new URL("./model/${name}", import.meta.url)`;
  const files = names.map((name) => `    ${JSON.stringify(name)}: ${at(name)},\n`).join("");
  writeFileSync(
    join(out, "index.js"),
    `/** The addresses of the model's files, wherever a bundler puts them. */\nexport default {\n  manifest: ${at("imagen.json")},\n  files: {\n${files}  },\n};\n`,
  );
  writeFileSync(
    join(out, "index.d.ts"),
    "/** The addresses of the model's files, as `Imagen.load({ model })` and `<imagen-canvas>` take them. */\ndeclare const model: { manifest: URL; files: Record<string, URL> };\nexport default model;\n",
  );
  return out;
}

for (const folder of [await buildLibrary(), buildModel()]) {
  const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", resolve(options.out), folder], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const described = JSON.parse(packed);
  const { filename, size, unpackedSize } = Array.isArray(described) ? described[0] : Object.values(described)[0];
  const kB = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;
  process.stdout.write(
    `${join(relative(ROOT, resolve(options.out)), filename)}: ${kB(size)}, ${kB(unpackedSize)} unpacked\n`,
  );
}
