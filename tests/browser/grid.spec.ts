/** Several pictures at once, picking one, enlarging only that one, and doing later stages again. */

import { expect, test } from "@playwright/test";
import { openTiny } from "./tiny.ts";

const PROMPT = "a red house on a hill";

test("a grid is the first stage of several seeds; the one that is picked is enlarged, and is what one run makes", async ({
  page,
}) => {
  const studio = await openTiny(page);
  await studio.set({ prompt: PROMPT, seed: 40, count: 4 });
  await expect(page.getByText("Pick one, and only that one is enlarged.")).toBeVisible();
  await studio.draw();
  const cells = page.getByRole("list", { name: "Variations" }).getByRole("button");
  await expect(cells).toHaveCount(4);
  await expect(studio.kept).toHaveCount(4);
  const grid = await Promise.all([0, 1, 2, 3].map((i) => studio.pixels(cells.nth(i).locator("canvas.front"))));
  expect(grid.map(({ size }) => size)).toEqual([16, 16, 16, 16]);
  expect(new Set(grid.map(({ rgba }) => rgba.toString("base64"))).size).toBe(4);

  await studio.button("Pick variation 3, seed 42").click();
  expect((await studio.pixels()).rgba.equals(grid[2]?.rgba ?? Buffer.alloc(0))).toBe(true);
  await studio.button("Enlarge to 64 × 64").click();
  await studio.expectState("done");
  const enlarged = await studio.pixels();
  expect(enlarged.size).toBe(64);
  await expect(studio.kept).toHaveCount(4);
  await studio.button("Back to the variations").click();
  await expect(cells).toHaveCount(4);
  // From the first one as well.
  await studio.button("Pick variation 1, seed 40").click();
  await studio.button("Back to the variations").click();
  await expect(cells).toHaveCount(4);

  // The same seed in one go. Between the stages of a picture that was enlarged lie the eight bits of a PNG.
  await studio.draw({ seed: 42, count: 1 });
  const whole = await studio.pixels();
  const difference = whole.rgba.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - (enlarged.rgba[i] ?? 0))),
    0,
  );
  expect(difference).toBeLessThanOrEqual(8);
});

test("later stages are done again from a finished one, with other settings, as a picture of their own", async ({
  page,
}) => {
  const studio = await openTiny(page);
  await studio.draw({ prompt: PROMPT, seed: 5, steps: { 32: 1, 64: 1 } });
  const first = await studio.pixels();
  await studio.set({ steps: { 64: 3 } });
  await studio.button("Redo from 32 × 32").click();
  await studio.expectState("done");
  await expect(page.locator("#progress [data-row='16']")).toHaveAttribute("data-leg", "skipped");
  await expect(page.locator("#progress [data-row='64']")).toHaveAttribute("data-leg", "done");
  const second = await studio.pixels();
  expect(second.size).toBe(64);
  expect(second.rgba.equals(first.rgba)).toBe(false);
  await expect(studio.kept).toHaveCount(2);
  expect((await studio.png()).toString("latin1")).toContain("Seed: 5, Size: 64x64");
});

test("the gaps of a grid are the same between rows and between columns", async ({ page }) => {
  const studio = await openTiny(page);
  for (const count of [4, 6, 9]) {
    await studio.draw({ prompt: PROMPT, seed: 1, count });
    const boxes = await page
      .locator("#grid li")
      .evaluateAll((cells) => cells.map((cell) => cell.getBoundingClientRect().toJSON()));
    const [first, beside] = boxes;
    const below = boxes.find(({ top }) => top > first.top + 1);
    const gap = beside.left - first.right;
    expect(gap).toBeGreaterThan(0);
    expect(below.top - first.bottom).toBeCloseTo(gap, 0);
    expect(first.width).toBeCloseTo(first.height, 0);
    const frame = await page.locator("#frame").boundingBox();
    expect(boxes.at(-1).bottom).toBeLessThanOrEqual((frame?.y ?? 0) + (frame?.height ?? 0) + 1);
  }
});

test("a run may stop at any stage and go on later", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.draw({ prompt: PROMPT, seed: 5, stopAfter: 32 });
  expect((await studio.pixels()).size).toBe(32);
  await expect(studio.button("Enlarge to 64 × 64")).toBeVisible();
  await studio.button("Enlarge to 64 × 64").click();
  await studio.expectState("done");
  expect((await studio.pixels()).size).toBe(64);
  await expect(studio.kept).toHaveCount(1);
});

test("a grid that is cancelled keeps what is finished", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.set({ prompt: PROMPT, seed: 1, count: 16, steps: { 16: 400 } });
  await studio.generate.click();
  await expect(studio.status).toContainText("Variation 2 of 16", { timeout: 60_000 });
  await page.keyboard.press("Escape");
  await studio.expectState("idle");
  await expect(studio.status).toHaveText("Cancelled.");
  await expect(studio.kept.first()).toBeVisible();
  expect(await studio.kept.count()).toBeLessThan(16);
  await studio.draw({ count: 1, steps: { 16: 2 } });
});

test("a seed makes way for another unless it is kept", async ({ page }) => {
  const studio = await openTiny(page);
  const seed = page.getByRole("spinbutton", { name: "Seed" });
  const lock = studio.button("Keep this seed");
  await expect(lock).toHaveAttribute("aria-pressed", "false");
  const first = await seed.inputValue();
  await studio.draw({ prompt: PROMPT });
  await expect(seed).toHaveValue(first);
  await studio.draw();
  await expect(seed).not.toHaveValue(first);
  await lock.click();
  const kept = await seed.inputValue();
  await studio.draw();
  await studio.draw();
  await expect(seed).toHaveValue(kept);
  await studio.button("Draw a new seed").click();
  await expect(seed).not.toHaveValue(kept);
  // What is typed is meant.
  await lock.click();
  await seed.fill("7");
  await expect(lock).toHaveAttribute("aria-pressed", "true");
});

test("sampler and thresholding of a stage are what the picture says", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.set({ prompt: PROMPT, seed: 5, stopAfter: 16 });
  await page.getByRole("combobox", { name: "Sampler for 16 × 16" }).selectOption("dpm++2m");
  await page.getByRole("combobox", { name: "Thresholding for 16 × 16", exact: true }).selectOption("static");
  await page.getByRole("spinbutton", { name: "Limit for 16 × 16", exact: true }).fill("2");
  await studio.draw();
  const text = (await studio.png()).toString("latin1");
  expect(text).toContain("Sampler: dpm++2m");
  expect(text).toMatch(/"thresholding":\{"16":\{"kind":"static","max":2(\.0)?\}/);
  await studio.button("As the model recommends").click();
  await expect(page.getByRole("combobox", { name: "Sampler for 16 × 16" })).toHaveValue("ddim");
});

test("a run that was measured before is estimated", async ({ page }) => {
  const studio = await openTiny(page);
  const estimate = page.locator("#estimate");
  await expect(estimate).not.toContainText("About");
  await studio.draw({ prompt: PROMPT });
  await expect(estimate).toContainText(/About [\d.]+ s on this computer\./);
  await page.reload();
  await studio.expectState("idle");
  await expect(estimate).toContainText("About");
  await studio.set({ count: 4 });
  await expect(estimate).toContainText("for all 4");
});
