/** A GPU that several users have: two elements of one page, and pages in two tabs. It is lost while one of them draws. */

import { expect, type Locator, type Page, test, type Worker } from "@playwright/test";
import type { ImagenCanvas } from "../../www/lib/element.ts";
import { Embedding } from "./embedding.ts";
import { buildPackages } from "./npm-packages.ts";
import { Studio } from "./studio.ts";
import { serveTiny } from "./tiny.ts";

// A software adapter compiles the pipelines for most of a minute, and here several times.
test.describe.configure({ timeout: 480_000 });
test.beforeAll(buildPackages);

/** Keeps hold of the device, which is destroyed as soon as it is there for `losses` times. */
const watched = (losses: number) => `
  self.losses = ${losses};
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...options) {
    self.latestDevice = await requestDevice.apply(this, options);
    return self.latestDevice;
  };
  const { submit } = GPUQueue.prototype;
  GPUQueue.prototype.submit = function (...given) {
    submit.apply(this, given);
    // In the middle of something.
    if (self.losses > 0 && self.armed) {
      self.losses -= 1;
      self.latestDevice.destroy();
    }
  };`;

async function inWorker(page: Page, pattern: string | RegExp, losses = 0): Promise<void> {
  await page.route(pattern, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${watched(losses)}\n${await response.text()}` });
  });
}

const lose = (worker: Worker) =>
  worker.evaluate(() => (self as unknown as { latestDevice: GPUDevice }).latestDevice.destroy());
const arm = (worker: Worker) => worker.evaluate(() => void Object.assign(self, { armed: true }));

/** What the elements told, counted by its kind. */
const count = (page: Page, type: string) =>
  page.evaluate((type) => (window as unknown as { told: Record<string, number> }).told[type] ?? 0, type);

/** Two elements that draw, one after the other, and the worker that they share; the first has begun. */
async function twoElements(page: Page): Promise<{ worker: Worker; elements: Locator }> {
  const working = page.waitForEvent("worker", (worker) => worker.url().endsWith("/worker.js"));
  await page.evaluate(async () => {
    const told: Record<string, number> = {};
    Object.assign(window, { told });
    const main = document.querySelector("main");
    const element = (prompt: string) =>
      `<imagen-canvas prompt="${prompt}" model="/model/" device="gpu" stages="16"></imagen-canvas>`;
    if (main) main.innerHTML = element("a red house") + element("a green boat");
    const path = "/imagen-web/element.js";
    await import(path);
    for (const canvas of document.querySelectorAll("imagen-canvas")) {
      canvas.addEventListener("progress", (event) => {
        const { type } = (event as unknown as CustomEvent).detail;
        told[type] = (told[type] ?? 0) + 1;
      });
    }
  });
  await draw(page, 600);
  await expect.poll(() => count(page, "step"), { timeout: 240_000 }).toBeGreaterThan(2);
  return { worker: await working, elements: page.locator("imagen-canvas") };
}

/** Both begin at once. */
async function draw(page: Page, steps: number): Promise<void> {
  await page.evaluate((steps) => {
    for (const element of document.querySelectorAll("imagen-canvas")) {
      (element as ImagenCanvas).generate({ stages: { 16: { steps } }, previews: 0 }).promise.catch(() => {});
    }
  }, steps);
}

async function expectState(element: Locator, state: string): Promise<void> {
  await expect(element).toHaveAttribute("state", state, { timeout: 240_000 });
}

test("a GPU that is lost while one of two elements draws is asked for again, and both are finished", async ({
  page,
}) => {
  await inWorker(page, "**/imagen-web/worker.js");
  const embedding = await Embedding.open(page);
  const { worker, elements } = await twoElements(page);
  await lose(worker);
  for (const index of [0, 1]) await expectState(elements.nth(index), "done");
  expect(await count(page, "resumed")).toBe(1);
  await embedding.close();
});

test("a GPU that is lost again is told to the element that draws, and the next run gets a new one", async ({
  page,
}) => {
  await inWorker(page, "**/imagen-web/worker.js", 2);
  const embedding = await Embedding.open(page);
  const { worker, elements } = await twoElements(page);
  await arm(worker);
  await expectState(elements.first(), "error");
  await expect(elements.first().getByRole("status")).toContainText("The GPU was lost during the 16×16 stage");
  // The other one waited for its turn.
  await expectState(elements.nth(1), "done");
  await draw(page, 2);
  for (const index of [0, 1]) await expectState(elements.nth(index), "done");
  // All of that in the worker that was there.
  expect(page.workers()).toContain(worker);
  await embedding.close();
});

test("a page in two tabs: what happens to the GPU of one does not end the other", async ({ context }) => {
  await serveTiny(context);
  const tabs = await Promise.all(
    [7, 8].map(async (seed) => {
      const page = await context.newPage();
      await inWorker(page, /assets\/worker-.*\.js/);
      const working = page.waitForEvent("worker", (worker) => /\/worker-[^/]*\.js$/.test(worker.url()));
      const studio = new Studio(page);
      await studio.open("gpu");
      await studio.set({ prompt: "a red house", seed, steps: { 16: 200 }, stopAfter: 16 });
      return { page, studio, worker: await working };
    }),
  );
  for (const { studio } of tabs) await studio.generate.click();
  const [first, second] = tabs;
  if (!first || !second) throw new Error("two tabs were opened");
  await first.studio.expectStage(16, 240_000);
  await lose(first.worker);
  await expect(first.page.getByText("The GPU was lost; the picture goes on at 16 × 16.")).toBeVisible({
    timeout: 240_000,
  });
  for (const { page, studio } of tabs) {
    await page.bringToFront();
    await studio.expectState("done", 240_000);
    const seen = await studio.seen();
    expect(seen.size).toBe(16);
    expect(seen.spread).toBeGreaterThan(8);
  }
  await expect(second.page.locator("#notice")).toBeEmpty();
});
