/** Models by address: downloads that are interrupted, damaged or refused. */

import { expect, test } from "@playwright/test";
import { FakeModel, PIECE } from "./fake-model.ts";
import { ModelServer } from "./model-server.ts";
import { ModelsPage } from "./models-page.ts";

const MIB = 1024 * 1024;
const SMALL = new FakeModel("small", [40 * MIB, 9 * MIB, MIB, 16 * MIB]);

let server: ModelServer;

async function serve(model: FakeModel): Promise<void> {
  server = await ModelServer.start(model.files);
}

test.afterEach(async () => server?.stop());

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
  await models.expectVerified(model);
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
  await models.expectVerified(SMALL);
});

test("a connection that falls silent is given up and asked again @slow", async ({ page }) => {
  await serve(SMALL);
  server.stall = { file: "text_encoder.gguf", offset: PIECE + 512 * 1024, times: 1 };
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("small", "whole", 60_000);
  await models.expectVerified(SMALL);
  expect(server.asked.filter(({ start }) => start === PIECE)).toHaveLength(2);
});

test("a flipped byte is found and only its piece fetched again", async ({ page }) => {
  await serve(SMALL);
  server.flip = { file: "text_encoder.gguf", offset: PIECE + 5, times: 1 };
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("small", "whole");
  await models.expectVerified(SMALL);
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
  await models.expectVerified(SMALL);
});

test("a manifest without pieces: the whole file is checked, and fetched again when it is wrong", async ({ page }) => {
  const model = new FakeModel("unlisted", [40 * MIB, MIB, MIB, MIB], false);
  await serve(model);
  server.flip = { file: "text_encoder.gguf", offset: PIECE + 5, times: 1 };
  const models = new ModelsPage(page);
  await models.open();
  await models.add(server.url);
  await models.expectState("unlisted", "whole");
  await models.expectVerified(model);
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
  await models.expectVerified(SMALL);
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

test("a host that is gone is not asked for each of the pieces that are left", async ({ page }) => {
  const model = new FakeModel("gone", [MIB, MIB, MIB, MIB], false);
  const size = 14 * PIECE;
  model.manifest.text_encoder.size = size;
  model.files.set("imagen.json", Buffer.from(JSON.stringify(model.manifest)));
  await serve(model);
  server.files.set("text_encoder.gguf", { size, read: (start, end) => Buffer.alloc(end - start) });
  server.pace = 10 * MIB;
  const models = new ModelsPage(page);
  await models.open();
  const reached = server.after(PIECE + 6 * MIB);
  await models.add(server.url);
  await reached;
  server.down();
  // Four tries take 6 s, and four pieces are on their way at once: all 13 would take 24 s.
  await models.expectState("gone", "partial", 15_000);
  await expect(models.row("gone")).toContainText(/cannot be reached|broke off/);
});
