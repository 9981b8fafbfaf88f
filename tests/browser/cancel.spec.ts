/** Ending a generation: by button, by key, and by closing the page. */

import { expect, test } from "@playwright/test";
import { Studio } from "./studio.ts";

/** More steps than any test waits for. */
const ENDLESS = { 64: 1000 };

test("Cancel ends a running generation, and the next one works", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.set({ steps: ENDLESS, stopAfter: 64 });
  await expect(studio.cancel).toBeDisabled();
  await studio.prompt.fill("a yellow duck");
  await studio.generate.click();
  await studio.expectState("sampling");
  await expect(studio.generate).toBeDisabled();
  await studio.cancel.click();
  await studio.expectState("idle", 10_000);
  await expect(studio.status).toHaveText("Cancelled.");
  await expect(studio.alert).toBeEmpty();

  await page.getByRole("spinbutton", { name: "Steps for 64 × 64" }).fill("2");
  await studio.generate.click();
  await studio.expectState("done", 60_000);
  expect((await studio.seen()).size).toBe(64);
});

test("Ctrl+Enter generates and Escape cancels, also while the model is loading", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  // Weights that never arrive: only a cancel ends this.
  await page.route("**/*.gguf", () => {});
  await studio.prompt.fill("a yellow duck");
  await studio.prompt.press("Control+Enter");
  await studio.expectState("loading");
  await page.keyboard.press("Escape");
  await studio.expectState("idle", 10_000);
});

test("a step that does not end in time is cut off, and the downloaded model is kept", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.set({ steps: { 64: 1, 256: 1, 1024: 500 } });
  await studio.prompt.fill("a yellow duck");
  await studio.generate.click();
  await studio.expectStage(1024);
  await studio.cancel.click();
  await studio.expectState("idle", 10_000);
  expect((await studio.png()).length).toBeGreaterThan(1000);

  const downloads: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith(".gguf")) downloads.push(request.url());
  });
  await studio.page.getByRole("combobox", { name: "Stop after" }).selectOption({ index: 0 });
  await studio.generate.click();
  await studio.expectState("done", 60_000);
  expect(downloads).toEqual([]);
});

test("a page that is closed while it generates leaves nothing behind", async ({ context }) => {
  const first = new Studio(await context.newPage());
  await first.open("cpu");
  await first.set({ steps: ENDLESS, stopAfter: 64 });
  await first.prompt.fill("a yellow duck");
  await first.generate.click();
  await first.expectState("sampling");
  // One computes, one keeps the models.
  expect(first.page.workers()).toHaveLength(2);
  const ended = Promise.all(first.page.workers().map((worker) => new Promise((end) => worker.once("close", end))));
  await first.page.close();
  await ended;

  const second = new Studio(await context.newPage());
  await second.open("cpu");
  await second.set({ steps: { 64: 1 }, stopAfter: 64 });
  await second.prompt.fill("a yellow duck");
  await second.generate.click();
  await second.expectState("done", 60_000);
});
