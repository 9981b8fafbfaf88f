/** Pictures from models that did not come with the page: by address, from a folder, and what is only half there. */

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, type Page, test } from "@playwright/test";
import { FakeModel, sha256 } from "./fake-model.ts";
import { ModelServer } from "./model-server.ts";
import { ModelsPage } from "./models-page.ts";
import { Studio } from "./studio.ts";

const FOLDER = new URL("../../models/storybook/", import.meta.url);
const MIB = 1024 * 1024;

let server: ModelServer;

/** storybook under another name and with another tokenizer file, so that it is told from the one that ships. */
function storybook(): Map<string, Buffer> {
  const files = new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(new URL(name, FOLDER))]));
  const manifest = JSON.parse(files.get("imagen.json")?.toString() ?? "");
  const bytes = Buffer.concat([files.get("tokenizer.json") ?? Buffer.alloc(0), Buffer.from("\n")]);
  files.set("tokenizer.json", bytes);
  const tokenizer = { ...manifest.tokenizer, size: bytes.length, sha256: sha256(bytes) };
  files.set(
    "imagen.json",
    Buffer.from(JSON.stringify({ ...manifest, tokenizer, name: "elsewhere", examples: ["a fox"] })),
  );
  return files;
}

test.afterEach(async () => server?.stop());

async function draw(page: Page): Promise<void> {
  const studio = new Studio(page);
  await studio.set({ seed: 7, steps: { 64: 2 }, stopAfter: 64 });
  await studio.prompt.fill("a red house on a hill at night");
  await studio.generate.click();
  await studio.expectState("done", 60_000);
  const seen = await studio.seen();
  expect(seen.size).toBe(64);
  expect(seen.spread).toBeGreaterThan(8);
}

test("?model=ADDRESS downloads from another origin, draws, and opens from here when the host is gone", async ({
  page,
}) => {
  server = await ModelServer.start(storybook());
  const models = new ModelsPage(page);
  await models.open(`?device=cpu&model=${encodeURIComponent(server.url)}`);
  await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
  await expect(page.getByRole("button", { name: "a fox" })).toBeVisible();
  await models.expectState("elsewhere", "whole");
  await draw(page);

  server.down();
  await page.reload();
  await new Studio(page).expectState("idle");
  await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
  await draw(page);
});

test("models are changed without loading the page again, and the open one cannot be deleted", async ({ page }) => {
  server = await ModelServer.start(storybook());
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("elsewhere", "whole");
  await models.click("Open", "elsewhere");
  await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
  await expect(models.row("elsewhere")).toHaveAttribute("aria-current", "true");
  await expect(models.section.getByRole("button", { name: "Delete elsewhere" })).toBeHidden();
  await draw(page);
  await models.section.getByRole("button", { name: "Open storybook (built in)" }).click();
  await expect(page.getByText("Model: storybook 1.0.0")).toBeVisible();
  await models.click("Delete", "elsewhere");
  await expect(models.row("elsewhere")).toBeHidden();
});

test("a model in use in one tab is not deleted by another", async ({ context }) => {
  server = await ModelServer.start(storybook());
  const [first, second] = [new ModelsPage(await context.newPage()), new ModelsPage(await context.newPage())];
  await first.open(`?device=cpu&model=${encodeURIComponent(server.url)}`);
  await second.open();
  await second.click("Delete", "elsewhere");
  await expect(second.section).toContainText("in use in another tab");
  await first.page.close();
  await second.click("Delete", "elsewhere");
  await expect(second.row("elsewhere")).toBeHidden();
});

test("a model that is half there is never opened", async ({ page }) => {
  const model = new FakeModel("half", [40 * MIB, MIB, MIB, MIB]);
  server = await ModelServer.start(model.files);
  server.status.set("super_res_2.gguf", 404);
  const models = new ModelsPage(page);
  await page.goto(`?device=cpu&model=${encodeURIComponent(server.url)}`);
  await models.agree();
  const studio = new Studio(page);
  await studio.expectState("error");
  await expect(studio.alert).toContainText("super_res_2.gguf");
  await models.expectState("half", "partial");
  await expect(models.section.getByRole("button", { name: "Open half" })).toBeHidden();
});

test("a file that was cut in storage is fetched again instead of opened", async ({ page }) => {
  const model = new FakeModel("cut", [40 * MIB, MIB, MIB, MIB]);
  server = await ModelServer.start(model.files);
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("cut", "whole");
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const files = await (await root.getDirectoryHandle("models")).getDirectoryHandle("files");
    for await (const [name, handle] of files.entries()) {
      if (name.endsWith(".pieces")) continue;
      const file = await (handle as FileSystemFileHandle).getFile();
      if (file.size !== 40 * 1024 * 1024) continue;
      const stream = await (handle as FileSystemFileHandle).createWritable({ keepExistingData: true });
      await stream.truncate(20 * 1024 * 1024);
      await stream.close();
    }
  });
  await page.reload();
  await models.expectState("cut", "partial");
  const before = server.sent;
  await models.click("Resume", "cut");
  await models.expectState("cut", "whole");
  expect(server.sent - before).toBe(24 * MIB);
  await models.expectVerified(model);
});

test("a local folder is opened in place", async ({ page }) => {
  const models = new ModelsPage(page);
  await models.open();
  await models.section.locator("input[type=file]").setInputFiles(FOLDER.pathname);
  await expect(models.row("storybook").filter({ hasText: "in a folder" })).toHaveAttribute("aria-current", "true");
  await new Studio(page).expectState("idle");
  await draw(page);
});

test("a folder is opened by dropping it", async ({ context, page }) => {
  const models = new ModelsPage(page);
  await models.open();
  await models.section.scrollIntoViewIfNeeded();
  const box = await models.section.boundingBox();
  if (!box) throw new Error("the section is not visible");
  const session = await context.newCDPSession(page);
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    const data = { items: [], files: [FOLDER.pathname.replace(/\/$/, "")], dragOperationsMask: 1 };
    await session.send("Input.dispatchDragEvent", { type, x: box.x + 20, y: box.y + 20, data });
  }
  await expect(models.row("storybook").filter({ hasText: "in a folder" })).toHaveAttribute("aria-current", "true");
  await new Studio(page).expectState("idle");
});

test("a folder that is no model, or not all of one, is refused in words", async ({ page }, info) => {
  const models = new ModelsPage(page);
  await models.open();
  const input = models.section.locator("input[type=file]");
  await input.setInputFiles(new URL("../../docs", import.meta.url).pathname);
  await expect(models.section).toContainText("docs holds no imagen.json");
  const folder = info.outputPath("part");
  mkdirSync(folder, { recursive: true });
  copyFileSync(new URL("imagen.json", FOLDER), `${folder}/imagen.json`);
  await input.setInputFiles(folder);
  await expect(models.section).toContainText("part holds no tokenizer.json");
  writeFileSync(`${folder}/tokenizer.json`, "{}");
  await input.setInputFiles(folder);
  await expect(models.section).toContainText("tokenizer.json has 2 bytes instead of 41870");
  await expect(models.section.getByRole("listitem")).toHaveCount(1);
});

test("a browser that keeps no files draws all the same, and says so", async ({ page }) => {
  await page.route(/assets\/store-worker-.*\.js/, async (route) => {
    const response = await route.fetch();
    const without = "delete FileSystemFileHandle.prototype.createSyncAccessHandle;";
    await route.fulfill({ response, body: `${without}\n${await response.text()}` });
  });
  const models = new ModelsPage(page);
  await models.open();
  await expect(models.section).toContainText("keeps no files for this page");
  await draw(page);
});

test("the model that ships is there without its host after the first picture", async ({ page }) => {
  const models = new ModelsPage(page);
  await models.open();
  await models.expectState("storybook", "partial");
  await draw(page);
  await models.expectState("storybook", "whole");
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.route("**/models/storybook/*", (route) => route.abort());
  await page.reload();
  await new Studio(page).expectState("idle");
  await draw(page);
  expect(asked.filter((url) => url.endsWith(".gguf"))).toEqual([]);
});

test("a tokenizer that was damaged in storage is found and fetched again", async ({ page }) => {
  server = await ModelServer.start(storybook());
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("elsewhere", "whole");
  const size = storybook().get("tokenizer.json")?.length ?? 0;
  const damaged = await page.evaluate(async (size) => {
    const root = await navigator.storage.getDirectory();
    const files = await (await root.getDirectoryHandle("models")).getDirectoryHandle("files");
    let count = 0;
    for await (const handle of files.values()) {
      if ((await (handle as FileSystemFileHandle).getFile()).size !== size) continue;
      const stream = await (handle as FileSystemFileHandle).createWritable({ keepExistingData: true });
      await stream.write({ type: "write", position: 100, data: "damaged" });
      await stream.close();
      count += 1;
    }
    return count;
  }, size);
  expect(damaged).toBe(1);
  const studio = new Studio(page);
  const address = `?device=cpu&model=${encodeURIComponent(server.url)}`;
  await page.goto(address);
  await studio.expectState("error");
  await expect(studio.alert).toContainText("tokenizer.json");
  await models.expectState("elsewhere", "partial");
  const before = server.sent;
  await page.goto(address);
  await studio.expectState("idle", 30_000);
  await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
  expect(server.sent - before).toBe(size);
});

/** From now on the host has version 2.0.0, whose last file is another one. */
function publish(server: ModelServer): void {
  const manifest = JSON.parse(server.files.get("imagen.json")?.toString() ?? "");
  const { weights } = manifest.stages.at(-1);
  // Whatever stands behind the tensors is nobody's business, but it makes another file.
  const bytes = Buffer.concat([server.files.get(weights.file) as Buffer, Buffer.from("newer")]);
  server.files.set(weights.file, bytes);
  Object.assign(weights, { size: bytes.length, sha256: sha256(bytes) });
  delete weights.pieces;
  manifest.version = "2.0.0";
  server.files.set("imagen.json", Buffer.from(JSON.stringify(manifest)));
}

test("a model stays open while a newer version is fetched, which is then offered", async ({ page }) => {
  server = await ModelServer.start(storybook());
  const models = new ModelsPage(page);
  await models.open(`?device=cpu&model=${encodeURIComponent(server.url)}`);
  await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
  publish(server);
  server.status.set("super_res_2.gguf", 404);
  await models.add(server.url);
  const row = models.row("elsewhere");
  await expect(row).toContainText("Version 2.0.0 is there");
  await expect(row).toContainText("has no super_res_2.gguf");
  await models.expectState("elsewhere", "whole");
  await draw(page);

  // Half of the newer one is there: opened again, the old one is, and nothing is fetched that nobody asks for.
  const sent = server.sent;
  await page.reload();
  await new Studio(page).expectState("idle");
  await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
  await expect(row).toContainText("Version 2.0.0 is there");
  expect(server.sent).toBe(sent);
  await draw(page);

  server.status.clear();
  await models.click("Update", "elsewhere");
  await expect(row).toContainText("A newer version is here");
  await expect(row).not.toContainText("Version 2.0.0 is there");
  await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
  await models.click("Open", "elsewhere");
  await expect(page.getByText("Model: elsewhere 2.0.0")).toBeVisible();
  await expect(row).not.toContainText("A newer version is here");
  await draw(page);
});

test("a newer version of a model that a link names is offered, and the old one opened", async ({ page }) => {
  server = await ModelServer.start(storybook());
  const models = new ModelsPage(page);
  const address = `?device=cpu&model=${encodeURIComponent(server.url)}`;
  await models.open(address);
  publish(server);
  const sent = server.sent;
  await page.goto(address);
  await new Studio(page).expectState("idle");
  await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
  await expect(models.row("elsewhere")).toContainText("Version 2.0.0 is there");
  expect(server.sent).toBe(sent);
  await models.click("Update", "elsewhere");
  await expect(models.row("elsewhere")).toContainText("A newer version is here");
  // On the next visit it is the model.
  await page.goto(address);
  await expect(page.getByText("Model: elsewhere 2.0.0")).toBeVisible();
});

for (const [what, body] of Object.entries({
  "cannot be loaded": undefined,
  "cannot read its list": 'FileSystemDirectoryHandle.prototype.keys = () => { throw new Error("no list"); };',
})) {
  test(`a store that ${what} is told, whatever is asked of it`, async ({ page }) => {
    await page.route(/assets\/store-worker-.*\.js/, async (route) => {
      if (body === undefined) return route.fulfill({ status: 404 });
      const response = await route.fetch();
      return route.fulfill({ response, body: `${body}\n${await response.text()}` });
    });
    await page.goto("?device=cpu");
    const studio = new Studio(page);
    await studio.expectState("error", 20_000);
    await expect(studio.alert).toContainText("keeps models has stopped");
    const models = new ModelsPage(page);
    await models.add("https://example.org/model");
    await expect(models.section.locator("#model-trouble")).toContainText("keeps models has stopped");
  });
}
