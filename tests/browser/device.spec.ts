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

// A software adapter takes most of a minute to compile the pipelines, on a busy machine several.
const PATIENT = 480_000;

test("the GPU path makes the same 64 × 64 picture through WebGPU as the CPU path, also in half precision", async ({
  page,
}) => {
  test.setTimeout(PATIENT);
  const studio = new Studio(page);
  const pictures: Buffer[] = [];
  const said = { gpu: "in software", "gpu-half": "half precision", cpu: "the CPU" };
  for (const device of ["gpu", "gpu-half", "cpu"] as const) {
    await studio.open(device);
    const kind = device === "cpu" ? "cpu" : "gpu";
    await expect(page.locator(`[data-device=${kind}]`)).toContainText(said[device]);
    await studio.set({ seed: 7, steps: { 64: 2 }, stopAfter: 64 });
    await studio.prompt.fill("a red house on a hill at night");
    await studio.generate.click();
    await studio.expectState("done", 300_000);
    const { size, rgba } = await studio.pixels();
    expect(size).toBe(64);
    pictures.push(rgba);
  }
  const [gpu, half, cpu] = pictures;
  expect(psnr(gpu, cpu)).toBeGreaterThanOrEqual(40);
  expect(psnr(half, cpu)).toBeGreaterThanOrEqual(40);
});

test("?profile shows what each kernel took", async ({ page }) => {
  test.setTimeout(PATIENT);
  const studio = new Studio(page);
  await page.goto("?device=gpu&profile");
  await studio.expectState("idle");
  await studio.set({ seed: 7, steps: { 64: 2 }, stopAfter: 64 });
  await studio.prompt.fill("a red house on a hill at night");
  await studio.generate.click();
  await studio.expectState("done", 300_000);
  const profile = page.getByRole("region", { name: "Profile" });
  await expect(profile).toContainText("Profile of text encoder");
  await expect(profile).toContainText(/64×64\ncompiling: \d+ pipelines, [\d.]+ s/);
  await expect(profile).toContainText(/step: 2 runs of [\d.]+ ms; (GPU timestamps|this device has no timestamps)/);
  await expect(profile).toContainText(/conv +\d+ +\d/);
  test.info().annotations.push({ type: "profile", description: (await profile.textContent()) ?? "" });
});

/** Peak signal-to-noise ratio in dB, over the colours. */
function psnr(a: Buffer | undefined, b: Buffer | undefined): number {
  if (!a || !b || a.length !== b.length || a.length === 0) return 0;
  const squares = a.reduce((sum, value, i) => sum + (value - (b[i] ?? 0)) ** 2, 0);
  return 10 * Math.log10(255 ** 2 / (squares / ((a.length * 3) / 4)));
}
