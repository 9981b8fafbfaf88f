/** What assistive technology, keyboards and narrow screens find. */

import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";
import { Studio } from "./studio.ts";

async function violations(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    const studio = new Studio(page);
    await studio.open("cpu");
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: `tests/browser/out/idle-${colorScheme}.png` });

    await studio.generate.click();
    await studio.set({ seed: 7, steps: { 64: 4 }, stopAfter: 64 });
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: `tests/browser/out/error-${colorScheme}.png`, fullPage: true });

    await studio.prompt.fill("a purple kite above a lake");
    await studio.generate.click();
    await studio.expectState("done", 60_000);
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: `tests/browser/out/done-${colorScheme}.png`, fullPage: true });
  });
}

test("a phone's width needs no sideways scrolling", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.set({});
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(320);
  const label = page.getByRole("rowheader", { name: "1024 × 1024" });
  expect(await label.evaluate((cell) => cell.scrollWidth <= cell.clientWidth)).toBe(true);
  await page.screenshot({ path: "tests/browser/out/phone.png", fullPage: true });
});

test("the keyboard reaches everything in reading order", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.prompt.focus();
  const reached: (string | undefined)[] = [];
  for (let i = 0; i < 12 && reached.at(-1) !== "generate"; i += 1) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement?.id));
  }
  expect(reached.filter(Boolean)).toEqual(["seed", "dice", "generate"]);
});
