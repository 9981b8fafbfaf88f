/** GPU or CPU: the choice, what is said about it, and the GPU path on a software adapter. */

import { chromium, expect, test } from "@playwright/test";
import { Studio } from "./studio.ts";

test("a GPU in software is called that, and the CPU is taken instead", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("auto");
  await expect(page.locator("[data-device=cpu]")).toContainText("in software");
});

test("a browser without WebGPU runs on the CPU and says so", async ({ baseURL }) => {
  const executablePath = test.info().project.use.launchOptions?.executablePath;
  const browser = await chromium.launch({
    ...(executablePath ? { executablePath } : {}),
    args: ["--no-sandbox", "--disable-quic", "--disable-features=WebGPU,WebGPUService", "--disable-gpu"],
  });
  try {
    const studio = new Studio(await browser.newPage(baseURL ? { baseURL } : {}));
    await studio.open("auto");
    await expect(studio.page.locator("[data-device=cpu]")).toContainText("no GPU");
  } finally {
    await browser.close();
  }
});

test("the GPU path makes the 64 stage through WebGPU", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("gpu");
  await expect(page.locator("[data-device=gpu]")).toContainText("in software");
  await studio.set({ seed: 7, steps: { 64: 2 }, stopAfter: 64 });
  await studio.prompt.fill("a red house on a hill at night");
  await studio.generate.click();
  await studio.expectState("done", 170_000);
  const seen = await studio.seen();
  expect(seen.size).toBe(64);
  expect(seen.spread).toBeGreaterThan(8);
});
