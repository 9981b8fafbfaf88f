/** From a typed prompt to the pictures, on the CPU path. */

import { type Browser, expect, type Page, test } from "@playwright/test";
import { longestTask } from "./main-thread.ts";
import { Studio } from "./studio.ts";

declare global {
  interface Window {
    stages: string[];
  }
}

/** Records the stages in their order, from before the page's first line. */
async function watch(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.stages = [];
    new MutationObserver(() => {
      const stage = document.querySelector<HTMLElement>("[data-state]")?.dataset.stage;
      if (stage && window.stages.at(-1) !== stage) window.stages.push(stage);
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-stage"] });
  });
}

test.describe("responsive", () => {
  // A starved core makes a thread's own time longer too (cold caches); a task that is really too long is so every time.
  test.describe.configure({ retries: 2 });
  test("a prompt becomes a picture at 64 and 256 while the page stays responsive", ({ browser, page }) =>
    pictureAt256(browser, page));
});

async function pictureAt256(browser: Browser, page: Page): Promise<void> {
  await watch(page);
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  const studio = new Studio(page);
  const longest = await longestTask(browser, page, async () => {
    await studio.open("cpu");
    await expect(page.getByText("Runs on the CPU")).toBeVisible();
    await studio.set({ seed: 7, steps: { 64: 8, 256: 1 }, stopAfter: 256 });
    await studio.prompt.fill("a red house on a hill at night");
    await studio.generate.click();
    await studio.expectStage(64);
    await expect(studio.picture).toHaveJSProperty("width", 64, { timeout: 60_000 });
    await studio.expectStage(256);
    await studio.expectState("done", 120_000);
  });
  process.stdout.write(`  longest task of the main thread: ${longest.thread} ms (${longest.clock} ms on the clock)\n`);
  expect(longest.thread).toBeLessThan(50);
  await page.screenshot({ path: "tests/browser/out/done-256.png" });

  const seen = await studio.seen();
  expect(seen.size).toBe(256);
  expect(seen.spread).toBeGreaterThan(8);
  await expect(page.getByRole("img", { name: "a red house on a hill at night (256 × 256 pixels)" })).toBeVisible();
  expect(await page.evaluate(() => window.stages)).toEqual(["64", "256"]);

  const png = await studio.png();
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  const text = png.toString("latin1");
  expect(text).toContain("tEXtparameters\0a red house on a hill at night\nSteps: ");
  expect(text).toContain("Seed: 7, Size: 256x256");

  const base = new URL("./", page.url()).href;
  expect(requests.filter((url) => !url.startsWith(base) && !/^(blob|data):/.test(url))).toEqual([]);
}

test("the same seed gives the same file, another prompt another picture", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.set({ seed: 3, steps: { 64: 3 }, stopAfter: 64 });
  const make = async (prompt: string) => {
    await studio.prompt.fill(prompt);
    await studio.generate.click();
    await studio.expectState("sampling");
    await studio.expectState("done", 60_000);
    return studio.png();
  };
  const first = await make("a green tree");
  const other = await make("a blue sailboat");
  const again = await make("a green tree");
  expect(again.equals(first)).toBe(true);
  expect(other.equals(first)).toBe(false);
});

test("all three stages arrive @slow", async ({ page }) => {
  test.setTimeout(1_200_000);
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.prompt.fill("a red house on a hill at night");
  await studio.generate.click();
  await studio.expectStage(1024, 300_000);
  await studio.expectState("done", 900_000);
  const seen = await studio.seen();
  expect(seen.size).toBe(1024);
  expect(seen.spread).toBeGreaterThan(8);
  await page.screenshot({ path: "tests/browser/out/done-1024.png" });
});
