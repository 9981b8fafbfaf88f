/** One tab that draws for a long time: what it holds stays as it is. */

import { expect, type Page, test } from "@playwright/test";
import { openTiny } from "./tiny.ts";

/** Keeps hold of a worker's WASM memory. It never shrinks, so its size is its peak. */
const WATCHED = `
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...given) => {
    const made = await instantiate(...given);
    self.heap = (made.instance ?? made).exports.memory;
    return made;
  };`;

interface Held {
  /** Bytes of the workers' WASM memories together. */
  wasm: number;
  /** Bytes of live objects of the page, after a collection, and its nodes. */
  script: number;
  nodes: number;
}

async function held(page: Page): Promise<Held> {
  const memory = () => (self as unknown as { heap: WebAssembly.Memory }).heap.buffer.byteLength;
  const heaps = await Promise.all(page.workers().map((worker) => worker.evaluate(memory)));
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.enable");
  await session.send("HeapProfiler.collectGarbage");
  await session.send("Performance.enable");
  const { metrics } = await session.send("Performance.getMetrics");
  const metric = (name: string) => metrics.find((found) => found.name === name)?.value ?? Number.NaN;
  await session.detach();
  return { wasm: heaps.reduce((sum, size) => sum + size, 0), script: metric("JSHeapUsedSize"), nodes: metric("Nodes") };
}

test("fifty pictures in a row leave the memory as it was @slow", async ({ page }) => {
  await page.route(/assets\/(store-)?worker-.*\.js/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${WATCHED}\n${await response.text()}` });
  });
  const studio = await openTiny(page);
  const urls = () => page.evaluate(() => (window as unknown as { urls: number }).urls);
  await page.evaluate(() => {
    Object.assign(window, { urls: 0 });
    const { createObjectURL, revokeObjectURL } = URL;
    const count = (by: number) => {
      (window as unknown as { urls: number }).urls += by;
    };
    URL.createObjectURL = (...given) => {
      count(1);
      return createObjectURL.apply(URL, given);
    };
    URL.revokeObjectURL = (...given) => {
      count(-1);
      revokeObjectURL.apply(URL, given);
    };
  });
  await studio.set({ prompt: "a red house on a hill", seed: 1 });
  let after: Held | undefined;
  for (let picture = 0; picture < 50; picture += 1) {
    await studio.generate.click();
    await expect(studio.kept).toHaveCount(picture + 1);
    await studio.expectState("done");
    await expect(page.locator("#gallery")).toContainText(picture === 0 ? "1 picture," : `${picture + 1} pictures`);
    if (picture === 9) after = await held(page);
  }
  const end = await held(page);
  process.stdout.write(`  after 10 and 50 pictures: ${JSON.stringify([after, end])}\n`);
  if (!after) throw new Error("nothing was measured");
  expect(end.wasm).toBeLessThanOrEqual(after.wasm * 1.1);
  // The page's own objects are few, so forty records of pictures count among them.
  expect(end.script).toBeLessThanOrEqual(after.script * 1.1 + 1_000_000);
  // One address for each small picture, if all were shown, and one for the large one.
  expect(await urls()).toBeLessThanOrEqual(50 + 1);
});
