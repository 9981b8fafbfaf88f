/** Models in storage: its limits, two tabs, deleting, and the page beside a download. */

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
  await models.expectVerified(SMALL);
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

test("a model with two equal files fetches them once, and waits for nobody", async ({ page }) => {
  const model = new FakeModel("twins", [9 * MIB, MIB, MIB, MIB]);
  const [first, second] = model.manifest.stages.map(({ weights }) => weights);
  if (!first || !second) throw new Error("storybook has stages");
  // As large as it takes to be seen on its way.
  first.size = model.manifest.text_encoder.size;
  first.sha256 = model.manifest.text_encoder.sha256;
  second.size = first.size;
  second.sha256 = first.sha256;
  model.files.set("imagen.json", Buffer.from(JSON.stringify(model.manifest)));
  const bytes = model.files.get("text_encoder.gguf") ?? Buffer.alloc(0);
  for (const { file } of [first, second]) model.files.set(file, bytes);
  await serve(model);
  server.pace = 6 * MIB;
  const models = new ModelsPage(page);
  await models.open();
  await models.row("storybook").waitFor();
  await page.evaluate(() => {
    Object.assign(window, { states: new Set<string>() });
    new MutationObserver(() => {
      for (const { dataset } of document.querySelectorAll<HTMLElement>("#models li")) {
        (window as unknown as { states: Set<string | undefined> }).states.add(dataset.model);
      }
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
  await models.add(server.url);
  await models.expectState("twins", "whole");
  await models.expectVerified(model);
  const states = await page.evaluate(() => [...(window as unknown as { states: Set<string> }).states]);
  expect(states).toContain("downloading");
  expect(states).not.toContain("waiting");
  // One of three, and what is only there once.
  expect(server.sent).toBe(model.bytes - 2 * bytes.length);
});

test("a model is deleted while it is downloaded; the browser was asked to keep it", async ({ page }) => {
  await serve(SMALL);
  server.pace = 5 * MIB;
  await page.addInitScript(() => {
    StorageManager.prototype.persist = async () => {
      document.documentElement.dataset.persist = "asked";
      return true;
    };
  });
  const models = new ModelsPage(page);
  await models.open();
  const reached = server.after(20 * MIB);
  await models.add(server.url);
  await expect(page.locator("html")).toHaveAttribute("data-persist", "asked");
  await reached;
  await models.expectState("small", "downloading");
  await expect(models.row("small")).toContainText(/MB of 69\.2 MB · [\d.]+ MB\/s · [\d.]+ s left/);
  await models.click("Delete", "small");
  await expect(models.row("small")).toBeHidden();
  await expect.poll(() => models.hashes(SMALL.entries)).toEqual(SMALL.entries.map(() => undefined));
  const sent = server.sent;
  await page.waitForTimeout(500);
  // What was in the sockets may still count; a piece more may not.
  expect(server.sent - sent).toBeLessThan(2 * MIB);
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
  await second.expectVerified(SMALL);
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
