/** What goes wrong is said, with what to do about it, and does not end the page. */

import { expect, test } from "@playwright/test";
import { Studio } from "./studio.ts";

async function generate(studio: Studio): Promise<void> {
  await studio.prompt.fill("a yellow duck");
  await studio.generate.click();
}

test("an empty prompt and a bad seed", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.generate.click();
  await studio.expectState("error");
  await expect(studio.alert).toContainText("Write a prompt first");
  await studio.prompt.fill("a yellow duck");
  await page.getByRole("spinbutton", { name: "Seed" }).fill("-1");
  await studio.generate.click();
  await expect(studio.alert).toContainText("The seed must be a whole number");
});

test("steps out of range", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.set({ steps: { 64: 0 } });
  await generate(studio);
  await expect(studio.alert).toContainText("Steps for 64 × 64 must be a number from 1 to 1000");
});

test("a prompt that is far too long, in any script", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.set({ steps: { 64: 1 }, stopAfter: 64 });
  await studio.prompt.fill("山".repeat(10_001));
  await studio.generate.click();
  await studio.expectState("error");
  await expect(studio.alert).toContainText("shorten it");
  // One that is only longer than the model's tokens is cut, with a word about it.
  await studio.prompt.fill("ein Haus 家 дом 🏠 ".repeat(20));
  await studio.generate.click();
  await studio.expectState("done", 60_000);
  await expect(page.getByText("its end is ignored")).toBeVisible();
});

test("a store of models that has stopped is told to whoever waits for a file", async ({ page }) => {
  const studio = new Studio(page);
  const asked = page.waitForRequest("**/unet.gguf");
  await page.route("**/unet.gguf", () => {});
  await studio.open("cpu");
  await studio.set({ steps: { 64: 1 }, stopAfter: 64 });
  await generate(studio);
  await asked;
  const store = page.workers().find((worker) => worker.url().includes("store-worker"));
  // As a trap in WASM does.
  await store?.evaluate(() => void Promise.reject(new WebAssembly.RuntimeError("unreachable")));
  await expect(studio.alert).toContainText("unreachable");
});

test("a missing model", async ({ page }) => {
  await page.route("**/imagen.json", (route) => route.fulfill({ status: 404 }));
  const studio = new Studio(page);
  await page.goto("?device=cpu");
  await studio.expectState("error");
  await expect(studio.alert).toContainText("imagen.json");
  await expect(studio.alert).toContainText("404");
});

test("a missing file of the model, and the next try after it is back", async ({ page }) => {
  const studio = new Studio(page);
  await page.route("**/unet.gguf", (route) => route.fulfill({ status: 404 }));
  await studio.open("cpu");
  await studio.set({ steps: { 64: 1 }, stopAfter: 64 });
  await generate(studio);
  await studio.expectState("error", 60_000);
  await expect(studio.alert).toContainText("unet.gguf");
  await page.unroute("**/unet.gguf");
  await studio.generate.click();
  await studio.expectState("done", 60_000);
  await expect(studio.alert).toBeEmpty();
});

for (const [what, damage] of Object.entries({
  "one changed byte": (body: Buffer) => {
    const copy = Buffer.from(body);
    const last = copy.length - 1;
    copy[last] = (copy[last] ?? 0) ^ 1;
    return copy;
  },
  "a file that ends early": (body: Buffer) => body.subarray(0, body.length / 2),
})) {
  test(`a damaged model: ${what}`, async ({ page }) => {
    const studio = new Studio(page);
    await page.route("**/text_encoder.gguf", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: damage(await response.body()) });
    });
    await studio.open("cpu");
    await studio.set({ steps: { 64: 1 }, stopAfter: 64 });
    await generate(studio);
    await studio.expectState("error", 60_000);
    await expect(studio.alert).toContainText("text_encoder.gguf");
    // The damaged bytes are not kept.
    await page.unroute("**/text_encoder.gguf");
    await studio.generate.click();
    await studio.expectState("done", 60_000);
  });
}
