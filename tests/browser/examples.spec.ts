/** Every example for the web: built with its own tool from the packed npm packages, and drawing in Chromium. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { buildPackages, PACKAGES, ROOT } from "./npm-packages.ts";
import { SiteServer } from "./site-server.ts";

const SOURCES = join(ROOT, "examples/web");
const BUILT = join(ROOT, "tests/browser/out/examples");

let server: SiteServer;

test.beforeAll(buildPackages);
test.afterEach(async () => server?.stop());

/**
 * A copy of an example with the tarballs installed as npm would. The tools are found above it, in the checkout, at the
 * versions that the examples name.
 */
function install(name: string): string {
  const folder = join(BUILT, name);
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(SOURCES, name), folder, {
    recursive: true,
    filter: (path) => !/node_modules|dist$/.test(path.slice(SOURCES.length)),
  });
  for (const tarball of readdirSync(PACKAGES).filter((file) => file.endsWith(".tgz"))) {
    const target = join(folder, "node_modules", tarball.replace(/-\d.*$/, ""));
    mkdirSync(target, { recursive: true });
    execFileSync("tar", ["-xzf", join(PACKAGES, tarball), "--strip-components=1", "-C", target]);
  }
  return folder;
}

function build(folder: string): void {
  const tools = ["node_modules/.bin", "docs/site/node_modules/.bin"].map((bin) => join(ROOT, bin));
  const PATH = [...tools, process.env.PATH].join(delimiter);
  execFileSync("npm", ["run", "--silent", "build"], { cwd: folder, env: { ...process.env, PATH }, stdio: "inherit" });
}

/** Opens a folder of an example in a sub-folder of a site. */
async function open(page: Page, folder: string): Promise<void> {
  server = await SiteServer.start({ "/some/folder/": `${folder}/` });
  await page.goto(`${server.url}some/folder/`);
}

async function expectDrawn(page: Page, name: string): Promise<void> {
  const element = page.locator("imagen-canvas").first();
  await expect(element).toHaveAttribute("state", "done", { timeout: 60_000 });
  await expect(element.getByRole("img", { name })).toHaveJSProperty("width", 64);
}

test("plain: the element without a bundler", async ({ page }) => {
  await open(page, install("plain"));
  await expectDrawn(page, "a red house on a hill at night");
  await expect(page.getByRole("link", { name: "Save PNG" })).toBeVisible();
});

test("iframe: a picture in a frame tells its page", async ({ page }) => {
  await open(page, install("iframe"));
  await expect(page.getByRole("status")).toHaveText("The frame drew a picture of 64 pixels.", { timeout: 60_000 });
});

test("vite: the API with a model from npm", async ({ page }) => {
  const folder = install("vite");
  build(folder);
  await open(page, join(folder, "dist"));
  await page.getByRole("button", { name: "Draw" }).click();
  await expect(page.getByRole("status")).toHaveText("Done.", { timeout: 60_000 });
  await expect(page.getByRole("img", { name: "a red house on a hill at night" })).toHaveJSProperty("width", 64);
});

test("webpack: the element with a model from npm", async ({ page }) => {
  const folder = install("webpack");
  build(folder);
  await open(page, folder);
  await expectDrawn(page, "a red house on a hill at night");
});

test("esbuild: the API with the model beside the bundle", async ({ page }) => {
  const folder = install("esbuild");
  build(folder);
  await open(page, folder);
  await expect(page.getByRole("status")).toHaveText("Done.", { timeout: 60_000 });
  for (const size of [16, 32, 64]) {
    await expect(page.getByRole("img", { name: `${size} pixels` })).toHaveJSProperty("naturalWidth", size);
  }
});

test("static-site: Markdown with pictures", async ({ page }) => {
  const folder = install("static-site");
  build(folder);
  await open(page, join(folder, "dist"));
  await expectDrawn(page, "a red house on a hill at night");
  await page.locator("imagen-canvas").nth(1).scrollIntoViewIfNeeded();
  await expect(page.locator("imagen-canvas").nth(1)).toHaveAttribute("state", "done", { timeout: 60_000 });
});
