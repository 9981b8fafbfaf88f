/**
 * A GPU that is lost or runs out of memory, in the browser: the run goes on, or says what to do.
 *
 * The worker's script is served with a few lines in front that keep hold of the device or spoil an allocation. On the
 * software adapter, with the least work that shows the point.
 */

import { expect, type Page, test } from "@playwright/test";
import { Studio } from "./studio.ts";

/** Puts `script` in front of the worker's own. */
async function inWorker(page: Page, script: string): Promise<void> {
  await page.route("**/worker-*.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script}\n${await response.text()}` });
  });
}

/** The worker that has the GPU; the store of models has one too. */
const engine = (page: Page) => page.waitForEvent("worker", (worker) => /\/worker-[^/]*\.js$/.test(worker.url()));

/** The n-th buffer of a device, and those that follow in its error scope, fail as in a GPU that is full. */
const failingBuffer = (n: number, times: number) => `
  let buffers = 0;
  let full = false;
  self.failures = 0;
  const { createBuffer, popErrorScope, pushErrorScope } = GPUDevice.prototype;
  const scopes = [];
  GPUDevice.prototype.pushErrorScope = function (filter) {
    scopes.push(filter);
    return pushErrorScope.call(this, filter);
  };
  GPUDevice.prototype.popErrorScope = async function () {
    const told = full && scopes.at(-1) === "out-of-memory";
    if (told) full = false;
    scopes.pop();
    const error = await popErrorScope.call(this);
    return told ? new GPUOutOfMemoryError("the test says that there is no more") : error;
  };
  GPUDevice.prototype.createBuffer = function (descriptor) {
    buffers += 1;
    if (buffers >= ${n} && self.failures < ${times}) {
      self.failures += 1;
      full = true;
    }
    return createBuffer.call(this, descriptor);
  };`;

// A software adapter compiles the pipelines twice here.
test.describe.configure({ timeout: 480_000 });

async function start(page: Page): Promise<Studio> {
  const studio = new Studio(page);
  await studio.open("gpu");
  await studio.set({ seed: 7, steps: { 64: 2 }, stopAfter: 64 });
  await studio.prompt.fill("a red house on a hill at night");
  await studio.generate.click();
  return studio;
}

test("a GPU that is lost during a stage is asked for again, and the picture is finished", async ({ page }) => {
  await inWorker(
    page,
    `const { requestDevice } = GPUAdapter.prototype;
     GPUAdapter.prototype.requestDevice = async function (...options) {
       self.latestDevice = await requestDevice.apply(this, options);
       return self.latestDevice;
     };`,
  );
  const working = engine(page);
  const studio = await start(page);
  await studio.expectStage(64);
  const worker = await working;
  await worker.evaluate(() => (self as unknown as { latestDevice: GPUDevice }).latestDevice.destroy());
  await expect(page.getByText("The GPU was lost; the picture goes on at 64 × 64.")).toBeVisible({ timeout: 120_000 });
  await studio.expectState("done", 300_000);
  const seen = await studio.seen();
  expect(seen.size).toBe(64);
  expect(seen.spread).toBeGreaterThan(8);
});

test("a GPU that runs out of memory once gets what is loaded back, and the picture is finished", async ({ page }) => {
  // The text encoder has many buffers; the stage's come behind them.
  await inWorker(page, failingBuffer(150, 1));
  const working = engine(page);
  const studio = await start(page);
  await studio.expectState("done", 300_000);
  expect((await studio.seen()).size).toBe(64);
  expect(await (await working).evaluate(() => (self as unknown as { failures: number }).failures)).toBe(1);
});

test("a GPU that stays out of memory is an error that says what to do", async ({ page }) => {
  await inWorker(page, failingBuffer(1, 1_000_000));
  const studio = await start(page);
  await studio.expectState("error", 150_000);
  await expect(studio.alert).toContainText("memory");
});
