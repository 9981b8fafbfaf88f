/** What a run will take of the device's memory, said before it. */

import { expect, test } from "@playwright/test";
import type { Imagen as ImagenClass } from "../../www/lib/imagen.ts";
import { Embedding } from "./embedding.ts";
import { buildPackages } from "./npm-packages.ts";
import { openTiny } from "./tiny.ts";

test("the page says what the open model needs, for the stages that are asked for", async ({ page }) => {
  const studio = await openTiny(page);
  const memory = page.locator("#memory");
  // Nothing is fetched to find out.
  await expect(memory).toBeEmpty();
  await studio.draw({ prompt: "a red house", seed: 1, stopAfter: 16 });
  await expect(page.locator("#models li").first()).toHaveAttribute("data-model", "whole");
  await expect(memory).toContainText(/Up to 16 × 16 .* at most \d+ MiB of memory. All parts stay loaded/);
  await expect(page.locator("#models li").first()).toContainText(/needs \d+ MiB to run/);
  await studio.set({ stopAfter: 64 });
  await expect(memory).toContainText("Up to 64 × 64");
  await page.locator("#language").selectOption({ label: "简体中文" });
  await expect(memory).toContainText(/画到 64 × 64.*\d+ MiB 内存/);
  await expect(page.locator("#models li").first()).toContainText(/运行需要 \d+ MiB/);
  // On the next visit it is known before the first picture.
  await page.reload();
  await studio.expectState("idle");
  await expect(memory).toContainText("画到 64 × 64");
});

test.describe("on a GPU", () => {
  // A software adapter compiles for most of a minute.
  test.describe.configure({ timeout: 480_000 });
  test.beforeAll(buildPackages);

  test("the plan is what the run allocates", async ({ page }) => {
    await page.route("**/imagen-web/worker.js", async (route) => {
      const response = await route.fetch();
      const counting = `
        self.live = 0;
        self.peak = 0;
        const { createBuffer } = GPUDevice.prototype;
        const { destroy } = GPUBuffer.prototype;
        GPUDevice.prototype.createBuffer = function (descriptor) {
          const buffer = createBuffer.call(this, descriptor);
          // Staging memory comes on top.
          buffer.counted = descriptor.usage & (GPUBufferUsage.MAP_WRITE | GPUBufferUsage.MAP_READ) ? 0 : descriptor.size;
          self.live += buffer.counted;
          self.peak = Math.max(self.peak, self.live);
          return buffer;
        };
        GPUBuffer.prototype.destroy = function () {
          self.live -= this.counted;
          this.counted = 0;
          return destroy.call(this);
        };`;
      await route.fulfill({ response, body: `${counting}\n${await response.text()}` });
    });
    const embedding = await Embedding.open(page);
    const working = page.waitForEvent("worker", (worker) => worker.url().endsWith("/worker.js"));
    const plans = await page.evaluate(async () => {
      const path = "/imagen-web/index.js";
      const { Imagen } = (await import(path)) as { Imagen: typeof ImagenClass };
      const imagen = await Imagen.load({ model: "/model/", device: "gpu" });
      const bytes = async (stopAt: number) => (await imagen.memory({ stopAt })).bytes ?? 0;
      const plans = { small: await bytes(16), large: await bytes(64) };
      for await (const event of imagen.generate({ prompt: "a red house", previews: 0 })) {
        if ("bitmap" in event) event.bitmap.close();
      }
      return plans;
    });
    const worker = await working;
    const peak = await worker.evaluate(() => (self as unknown as { peak: number }).peak);
    expect(plans.small).toBeLessThan(plans.large);
    expect(peak / plans.large).toBeGreaterThan(0.95);
    expect(peak / plans.large).toBeLessThan(1.05);
    await embedding.close();
  });

  test("a budget that is too small is told before the run", async ({ page }) => {
    const embedding = await Embedding.open(page);
    const told = await page.evaluate(async () => {
      const path = "/imagen-web/index.js";
      const { Imagen } = (await import(path)) as { Imagen: typeof ImagenClass };
      const imagen = await Imagen.load({ model: "/model/", device: "gpu", gpuMemory: 4096 });
      const { kind, why } = await imagen.memory().then(
        () => ({ kind: "none", why: undefined }),
        (error) => error,
      );
      return { kind, why };
    });
    expect(told).toMatchObject({ kind: "device", why: { code: "gpuMemory", budget: 4096 } });
    expect(told.why.needed).toBeGreaterThan(4096);
    await embedding.close();
  });
});
