/** Models by address: downloads that are interrupted, damaged, refused, shared between tabs, deleted. */

import { type BrowserContext, expect, test } from "@playwright/test";
import { FakeModel, PIECE } from "./fake-model.ts";
import { longestTask } from "./main-thread.ts";
import { ModelServer } from "./model-server.ts";
import { ModelsPage } from "./models-page.ts";
import { onDisk } from "./on-disk.ts";

const MIB = 1024 * 1024;
const SMALL = new FakeModel("small", [40 * MIB, 9 * MIB, MIB, 16 * MIB]);

let server: ModelServer;

async function serve(model: FakeModel): Promise<void> {
  server = await ModelServer.start(model.files);
}

test.afterEach(async () => server?.stop());

async function expectVerified(models: ModelsPage, model: FakeModel): Promise<void> {
  expect(await models.hashes(model.entries)).toEqual(model.entries.map((entry) => entry.sha256));
}

test("a download that is killed at 10 random points is resumed where it was", async ({ context }) => {
  const model = new FakeModel("large", [123 * MIB, 40 * MIB, 5 * MIB, 16 * MIB]);
  await serve(model);
  server.pace = 25 * MIB;
  let page = await context.newPage();
  let models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  let there = 0;
  /** What was noted as there before the request of that number. */
  const kept: { from: number; noted: Map<string, number[]> }[] = [];
  for (let kill = 0; kill < 10; kill += 1) {
    const first = server.asked.length;
    const left = model.bytes - there;
    const reached = server.after(Math.ceil((left / (11 - kill)) * 2 * Math.random()));
    if (kill > 0) await models.click("Resume", model.name);
    await Promise.race([reached, models.expectState(model.name, "whole")]);
    if (kill % 5 === 4) {
      server.down();
      await models.expectState(model.name, "partial");
      await expect(models.row(model.name)).toContainText(/cannot be reached|broke off/);
      server.up();
    } else {
      await page.close();
      page = await context.newPage();
      models = new ModelsPage(page);
      await models.open();
    }
    const noted = await models.noted(model.entries);
    const before = there;
    there = 0;
    for (const entry of model.entries) {
      for (const index of noted.get(entry.file) ?? []) there += Math.min(PIECE, entry.size - index * PIECE);
    }
    expect(there).toBeGreaterThanOrEqual(before);
    if (there === model.bytes) break;
    await models.expectState(model.name, "partial");
    await expect(models.section.getByRole("button", { name: `Open ${model.name}` })).toBeHidden();
    const asked = server.asked.length;
    expect(asked).toBeGreaterThan(first);
    kept.push({ from: server.asked.length, noted });
  }
  if (there < model.bytes) await models.click("Resume", model.name);
  server.pace = Number.POSITIVE_INFINITY;
  await models.expectState(model.name, "whole");
  await expectVerified(models, model);
  for (const { from, noted } of kept) {
    const again = server.asked.slice(from).filter(({ file, start }) => noted.get(file)?.includes(start / PIECE));
    expect(again).toEqual([]);
  }
  // Each kill costs at most the four pieces that were on their way.
  expect(server.sent).toBeLessThanOrEqual(model.bytes + 10 * 4 * PIECE);
});

test("a short break of the connection needs nobody", async ({ page }) => {
  await serve(SMALL);
  server.pace = 20 * MIB;
  const models = new ModelsPage(page);
  await models.open();
  const reached = server.after(20 * MIB);
  await models.add(server.url);
  await reached;
  server.down();
  server.up();
  await models.expectState("small", "whole");
  await expectVerified(models, SMALL);
});

test("a flipped byte is found and only its piece fetched again", async ({ page }) => {
  await serve(SMALL);
  server.flip = { file: "text_encoder.gguf", offset: PIECE + 5, times: 1 };
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("small", "whole");
  await expectVerified(models, SMALL);
  expect(server.sent).toBe(SMALL.bytes + PIECE);
  expect(server.asked.filter(({ start }) => start === PIECE)).toHaveLength(2);
});

test("a byte that stays wrong is an error that names the file, and that piece never counts", async ({ page }) => {
  await serve(SMALL);
  server.flip = { file: "text_encoder.gguf", offset: PIECE + 5, times: 99 };
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("small", "partial");
  await expect(models.row("small")).toContainText("text_encoder.gguf");
  await expect(models.row("small")).toContainText("SHA-256");
  expect((await models.noted(SMALL.entries)).get("text_encoder.gguf")).not.toContain(1);
  server.flip = undefined;
  await models.click("Resume", "small");
  await models.expectState("small", "whole");
  await expectVerified(models, SMALL);
});

test("a manifest without pieces: the whole file is checked, and fetched again when it is wrong", async ({ page }) => {
  const model = new FakeModel("unlisted", [40 * MIB, MIB, MIB, MIB], false);
  await serve(model);
  server.flip = { file: "text_encoder.gguf", offset: PIECE + 5, times: 1 };
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("unlisted", "whole");
  await expectVerified(models, model);
  expect(server.sent).toBe(model.bytes + 40 * MIB);
});

test("a host without ranges: what was interrupted starts over, what is there is kept", async ({ page }) => {
  await serve(SMALL);
  server.ranges = false;
  server.pace = 5 * MIB;
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await expect(models.row("small")).toContainText("sends files only whole");
  await expect(async () => {
    expect((await models.noted(SMALL.entries)).get("text_encoder.gguf")).toEqual([0]);
  }).toPass({ timeout: 30_000 });
  await models.click("Pause", "small");
  await models.expectState("small", "partial");
  server.pace = Number.POSITIVE_INFINITY;
  server.flip = { file: "text_encoder.gguf", offset: 5, times: 1 };
  await models.click("Resume", "small");
  await models.expectState("small", "whole");
  // The first piece was there already, so what came of it the second time did not matter.
  await expectVerified(models, SMALL);
});

test("what is no model is refused in words", async ({ page }) => {
  await serve(SMALL);
  const models = new ModelsPage(page);
  await models.open();
  const trouble = models.section.locator("#model-trouble");
  for (const [address, words] of [
    ["", "no address"],
    ["ftp://example.org/model", "no address"],
    [server.url.replace("model/imagen.json", "nothing.json"), "404"],
    ["http://127.0.0.1:9/", "cannot be reached"],
  ] as const) {
    await models.add(address);
    await expect(trouble).toContainText(words, { timeout: 20_000 });
  }
  const hostile = structuredClone(SMALL.manifest);
  hostile.text_encoder.file = "../../secret";
  server.files.set("hostile.json", Buffer.from(JSON.stringify(hostile)));
  await models.add(server.url.replace("imagen.json", "hostile.json"));
  await expect(trouble).toContainText("text_encoder.file");
  server.files.set("page.json", Buffer.from("<!doctype html>"));
  await models.add(server.url.replace("imagen.json", "page.json"));
  await expect(trouble).toContainText("page.json");
  server.cors = false;
  await models.add(server.url);
  await expect(trouble).toContainText("CORS");
  await expect(models.section.getByRole("listitem")).toHaveCount(1);
  expect(server.asked).toEqual([]);
});

test("a file that the host lacks is named, and the download goes on when it is there", async ({ page }) => {
  await serve(SMALL);
  server.status.set("super_res_2.gguf", 404);
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("small", "partial");
  await expect(models.row("small")).toContainText("no super_res_2.gguf there (404)");
  server.status.clear();
  await models.click("Resume", "small");
  await models.expectState("small", "whole");
});

async function limitQuota(context: BrowserContext, models: ModelsPage, quotaSize?: number): Promise<void> {
  const session = await context.newCDPSession(models.page);
  const origin = new URL(models.page.url()).origin;
  await session.send("Storage.overrideQuotaForOrigin", quotaSize === undefined ? { origin } : { origin, quotaSize });
}

test("too little space is told before a byte is fetched", async () => {
  await serve(SMALL);
  await onDisk(async (context) => {
    const models = new ModelsPage(await context.newPage());
    await models.open();
    await limitQuota(context, models, 50 * MIB);
    // Chromium itself says 10 GiB at this limit.
    const store = models.page.workers().find((worker) => worker.url().includes("store-worker"));
    await store?.evaluate((quota) => {
      StorageManager.prototype.estimate = async () => ({ usage: 0, quota });
    }, 50 * MIB);
    await models.add(server.url);
    await models.expectState("small", "partial");
    await expect(models.row("small")).toContainText("needs 69.2 MB, and this browser has 52.4 MB for this page");
    expect(server.asked).toEqual([]);
    await limitQuota(context, models);
    await models.click("Resume", "small");
    await models.expectState("small", "whole");
  });
});

test("space that ends on the way keeps what is there", async ({ context, page }) => {
  await serve(SMALL);
  server.pace = 10 * MIB;
  const models = new ModelsPage(page);
  await models.open();
  const reached = server.after(20 * MIB);
  await models.add(server.url);
  await reached;
  await limitQuota(context, models, MIB);
  await models.expectState("small", "partial");
  await expect(models.row("small")).toContainText("no more space");
  await limitQuota(context, models);
  await models.click("Resume", "small");
  await models.expectState("small", "whole");
  await expectVerified(models, SMALL);
});

test("deleting a model deletes its files, but for those that another one has", async ({ page }) => {
  await serve(SMALL);
  const other = structuredClone(SMALL.manifest);
  other.name = "other";
  const own = new FakeModel("own", [MIB, 9 * MIB, MIB, MIB]);
  const [stage, ownStage] = [other.stages[0], own.manifest.stages[0]];
  if (!stage || !ownStage) throw new Error("storybook has stages");
  stage.weights = { ...ownStage.weights, file: "own.gguf" };
  server.files.set("own.gguf", own.files.get("unet.gguf") ?? Buffer.alloc(0));
  server.files.set("other.json", Buffer.from(JSON.stringify(other)));
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("small", "whole");
  const before = server.sent;
  await models.add(server.url.replace("imagen.json", "other.json"));
  await models.expectState("other", "whole");
  expect(server.sent - before).toBe(9 * MIB);
  await models.click("Delete", "small");
  await expect(models.row("small")).toBeHidden();
  const shared = SMALL.entries.map(({ file, sha256 }) => (file === "unet.gguf" ? undefined : sha256));
  await expect.poll(() => models.hashes(SMALL.entries)).toEqual(shared);
  await models.click("Delete", "other");
  await expect.poll(() => models.hashes(SMALL.entries)).toEqual(SMALL.entries.map(() => undefined));
  await page.reload();
  await expect(models.section.getByRole("listitem")).toHaveCount(1);
});

test("two tabs fetch a model once, and one goes on when the other is closed", async ({ context }) => {
  await serve(SMALL);
  server.pace = 8 * MIB;
  const [first, second] = [new ModelsPage(await context.newPage()), new ModelsPage(await context.newPage())];
  await first.open();
  await second.open();
  const reached = server.after(30 * MIB);
  await first.add(server.url);
  await first.expectState("small", "downloading");
  await second.add(server.url);
  await second.expectState("small", "waiting");
  await reached;
  const noted = await second.noted(SMALL.entries);
  await first.page.close();
  server.pace = Number.POSITIVE_INFINITY;
  await second.expectState("small", "whole");
  await expectVerified(second, SMALL);
  const again = [...noted].flatMap(([file, pieces]) =>
    pieces.flatMap((index) =>
      server.asked.filter((asked) => asked.file === file && asked.start === index * PIECE).slice(1),
    ),
  );
  expect(again).toEqual([]);
  expect(server.sent).toBeLessThanOrEqual(SMALL.bytes + 4 * PIECE);
});

test("a download leaves the page responsive", async ({ browser, page }) => {
  await serve(SMALL);
  const models = new ModelsPage(page);
  const longest = await longestTask(browser, page, async () => {
    await models.open();
    await models.add(server.url);
    await models.expectState("small", "whole");
  });
  expect(longest.thread).toBeLessThan(50);
});
