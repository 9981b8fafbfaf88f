/** What a visitor waits for: seen before the WASM is there, staying where it is, small, and not on the main thread. */

import { brotliCompressSync } from "node:zlib";
import { expect, type Page, test } from "@playwright/test";
import { Studio } from "./studio.ts";
import { openTiny } from "./tiny.ts";

const WASM = "**/*.wasm";

/** Holds the WASM back until the returned function is called. */
async function holdWasm(page: Page): Promise<() => void> {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(WASM, async (route) => {
    await gate;
    await route.continue();
  });
  return release;
}

/** The sum of all layout shifts that nobody's click explains. */
async function watchShifts(page: Page): Promise<() => Promise<number>> {
  await page.addInitScript(() => {
    const shifts: number[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) {
        if (!entry.hadRecentInput) shifts.push(entry.value);
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  return () => page.evaluate(() => (window as unknown as { shifts: number[] }).shifts.reduce((a, b) => a + b, 0));
}

for (const [width, height] of [
  [412, 823],
  [768, 1024],
  [1280, 900],
  [2560, 1440],
] as const) {
  test(`at ${width} pixels the page is seen whole before the WASM is there, and nothing moves when it comes`, async ({
    page,
  }) => {
    await page.setViewportSize({ width, height });
    const shifted = await watchShifts(page);
    const release = await holdWasm(page);
    await page.goto("?device=cpu");
    const studio = new Studio(page);
    await expect(page.locator("#models")).toContainText("storybook");
    const welcome = page.locator("#welcome");
    const parts = ["#form", "#examples", "#generate", "#result", "#welcome", "#gallery", "#models-title"];
    const look = () => Promise.all(parts.map(async (part) => [part, await page.locator(part).boundingBox()] as const));
    const words = async () => [await welcome.innerText(), await page.locator("#examples").innerText()];
    await studio.expectState("loading");
    const before = { boxes: await look(), words: await words() };
    expect(before.words.join()).toContain("storybook (26.4 MB, licence MIT)");
    release();
    await studio.expectState("idle");
    await expect(page.locator("#device")).toContainText("Runs on");
    const after = { boxes: await look(), words: await words() };
    expect(after.words).toEqual(before.words);
    // What stands below may need another line for what the machine has.
    expect(after.boxes).toEqual(before.boxes);
    expect(await shifted()).toBeLessThan(0.01);
  });
}

test("a download that is asked for before the WASM is there begins when it is", async ({ page }) => {
  const release = await holdWasm(page);
  await page.route("**/*.gguf", () => {});
  await page.goto("?device=cpu");
  await page.getByRole("button", { name: /^Download the model/ }).click();
  const download = page.locator("[data-download]");
  await expect(download).toHaveAttribute("data-download", "downloading");
  const asked = page.waitForRequest("**/*.gguf");
  release();
  await asked;
  await expect(download.getByRole("button", { name: "Pause" })).toBeVisible();
});

test("a picture that is asked for before the WASM is there is drawn when it is", async ({ page }) => {
  const release = await holdWasm(page);
  await page.goto("?device=cpu");
  const studio = new Studio(page);
  await page.locator("#examples button").first().click();
  await studio.generate.click();
  await expect(studio.generate).toBeDisabled();
  release();
  await studio.expectState("sampling", 60_000);
  await studio.cancel.click();
});

test("a visitor who has the model is not told to download it, not for a moment, and nothing moves", async ({
  page,
}) => {
  await page.setViewportSize({ width: 412, height: 823 });
  const shifted = await watchShifts(page);
  const studio = new Studio(page);
  await studio.open("cpu");
  await page.getByRole("button", { name: /^Download the model/ }).click();
  await expect(page.locator("#welcome")).toBeHidden();
  await studio.draw({ prompt: "a red house", seed: 1, steps: { 64: 1 }, stopAfter: 64 });
  await page.addInitScript(() => {
    const seen: string[] = [];
    Object.assign(window, { seen });
    new MutationObserver(() => {
      if (document.querySelector("#welcome, [data-download], #generate small")) seen.push("welcome");
    }).observe(document, { subtree: true, childList: true });
  });
  await page.reload();
  await studio.expectState("idle");
  await expect(page.locator("#models")).toContainText("on this computer");
  expect(await page.evaluate(() => (window as unknown as { seen: string[] }).seen)).toEqual([]);
  await expect(studio.kept).toHaveCount(1);
  expect(await shifted()).toBeLessThan(0.01);
});

test("the WASM is compiled away from the main thread", async ({ page }) => {
  await page.addInitScript(() => {
    const compiled: string[] = [];
    Object.assign(window, { compiled });
    for (const name of ["compile", "compileStreaming", "instantiate", "instantiateStreaming"] as const) {
      Object.assign(WebAssembly, {
        [name]: () => {
          compiled.push(name);
          throw new Error("on the main thread");
        },
      });
    }
  });
  const studio = await openTiny(page);
  await studio.draw({ prompt: "a red house", seed: 1, stopAfter: 16 });
  expect(await page.evaluate(() => (window as unknown as { compiled: string[] }).compiled)).toEqual([]);
});

test("the scripts before the first click are at most 60 kB after brotli", async ({ page }) => {
  const scripts = new Map<string, number>();
  page.on("response", async (response) => {
    if (!/\.js$/.test(new URL(response.url()).pathname)) return;
    scripts.set(response.url(), 0);
    scripts.set(response.url(), brotliCompressSync(await response.body()).length);
  });
  const studio = new Studio(page);
  await studio.open("cpu");
  await expect(page.locator("#models")).toContainText("storybook");
  await expect.poll(() => [...scripts.values()].every((size) => size > 0)).toBe(true);
  // The page itself, what it fetched when it was painted, and both workers.
  expect([...scripts.keys()].filter((url) => /worker/.test(url))).toHaveLength(2);
  const bytes = [...scripts.values()].reduce((a, b) => a + b, 0);
  process.stdout.write(
    `  ${scripts.size} scripts before the first click: ${(bytes / 1000).toFixed(1)} kB after brotli\n`,
  );
  expect(bytes).toBeLessThanOrEqual(60_000);
});

test("a part of the page that cannot be fetched is told in its place, and the rest works", async ({ page }) => {
  await page.route(/assets\/models-view-.*\.js/, (route) => route.abort());
  const studio = await openTiny(page);
  await expect(page.getByText("This part of the page could not be fetched.")).toBeVisible();
  await studio.draw({ prompt: "a red house", seed: 1, stopAfter: 16 });
  await expect(studio.kept).toHaveCount(1);
});
