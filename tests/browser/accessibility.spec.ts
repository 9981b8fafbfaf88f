/** What assistive technology, keyboards, narrow and wide screens find, in both themes and languages. */

import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";
import type { Studio } from "./studio.ts";
import { openTiny } from "./tiny.ts";

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`)).toEqual(
    [],
  );
}

/** Every kind of thing that the page shows, one after the other. */
async function everything(studio: Studio, look: (what: string) => Promise<void>): Promise<void> {
  const { page } = studio;
  await look("welcome");
  await page.locator("#settings > summary").click();
  await studio.generate.click();
  await expect(studio.alert).not.toBeEmpty();
  await look("settings");
  await page.locator("#settings > summary").click();
  await page.locator("#prompt").fill("a red house on a hill");
  await page.locator("#count").selectOption("4");
  await studio.generate.click();
  await studio.expectState("done");
  await expect(studio.kept).toHaveCount(4);
  await look("grid");
  await page.locator("#grid button").nth(1).click();
  await page.locator("#enlarge").click();
  await expect(studio.picture).toHaveJSProperty("width", 64);
  await studio.expectState("done");
  await page.locator("#reuse").click();
  await look("done");
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const locale of ["en-GB", "zh-CN"] as const) {
    test.describe(`${colorScheme}, ${locale}`, () => {
      test.use({ colorScheme, locale, reducedMotion: "reduce" });

      test("axe finds nothing", async ({ page }) => {
        const studio = await openTiny(page, "?device=auto");
        await page.locator("#webgpu > summary").click();
        await everything(studio, () => expectAccessible(page));
      });

      test("no width from a phone's to a wall's needs sideways scrolling, and all words fit", async ({ page }) => {
        const studio = await openTiny(page);
        const folder = `tests/browser/out/pages/${colorScheme}-${locale}`;
        await everything(studio, async (what) => {
          for (const width of [320, 768, 1280, 2560]) {
            await page.setViewportSize({ width, height: width === 320 ? 640 : width === 2560 ? 1440 : 900 });
            expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
            const cut = await page.evaluate(() =>
              [...document.querySelectorAll<HTMLElement>("button, .button, legend, #progress .name")]
                .filter((element) => element.checkVisibility() && element.scrollWidth > element.clientWidth + 1)
                .map((element) => element.textContent?.trim()),
            );
            expect(cut).toEqual([]);
            await page.screenshot({ path: `${folder}-${width}-${what}.png`, fullPage: true });
          }
          await page.setViewportSize({ width: 1280, height: 900 });
        });
      });
    });
  }
}

test("the theme is changed by hand and remembered", async ({ page }) => {
  const studio = await openTiny(page);
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.getByRole("combobox", { name: "Colours" }).selectOption({ label: "Dark" });
  await expect.poll(paper).not.toBe(light);
  const dark = await paper();
  await page.reload();
  await studio.expectState("idle");
  expect(await paper()).toBe(dark);
});

test("the keyboard reaches everything in reading order", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.prompt.focus();
  const reached: (string | undefined)[] = [];
  for (let i = 0; i < 16 && reached.at(-1) !== "generate"; i += 1) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement?.id));
  }
  expect(reached.filter(Boolean)).toEqual(["seed", "dice", "lock", "count", "generate"]);
});

test("a picture is made, picked, enlarged, looked at and deleted without a pointer", async ({ page }) => {
  const studio = await openTiny(page);
  /** Tabs until what has the focus is called so. */
  const reach = async (name: RegExp) => {
    for (let i = 0; i < 80; i += 1) {
      const focused = await page.evaluate(() => {
        const { activeElement: element } = document;
        return `${element?.getAttribute("aria-label") ?? element?.textContent ?? ""}`.trim();
      });
      if (name.test(focused)) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`no Tab reaches ${name}`);
  };
  await studio.prompt.focus();
  await page.keyboard.type("a red house on a hill");
  await page.locator("#count").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Control+Enter");
  await studio.expectState("done");
  await reach(/^Pick variation 2/);
  await page.keyboard.press("Enter");
  await reach(/^Enlarge to/);
  await page.keyboard.press("Enter");
  await expect(studio.picture).toHaveJSProperty("width", 64);
  await studio.expectState("done");
  await expect(studio.kept).toHaveCount(2);
  // The gallery: into it by Tab, within it by the arrows.
  await studio.kept.first().focus();
  await page.keyboard.press("ArrowRight");
  await expect(studio.kept.nth(1)).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(studio.kept.nth(1)).toHaveAttribute("aria-current", "true");
  await page.locator("#download").focus();
  await reach(/^Delete picture/);
  await page.keyboard.press("Enter");
  await expect(studio.kept).toHaveCount(1);
  await expect(studio.button("Undo")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(studio.kept).toHaveCount(2);
});

test("what happens is announced, and nothing moves for who wants no motion", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const studio = await openTiny(page);
  await page.evaluate(() => {
    const heard: string[] = [];
    Object.assign(window, { heard, moving: 0 });
    const status = document.querySelector("#status");
    if (!status) throw new Error("no status");
    new MutationObserver(() => {
      heard.push(status.textContent ?? "");
      (window as unknown as { moving: number }).moving += document.getAnimations().length;
    }).observe(status, { subtree: true, childList: true, characterData: true });
  });
  await studio.draw({ prompt: "a red house on a hill", seed: 1, steps: { 16: 60 } });
  const heard = await page.evaluate(() => (window as unknown as { heard: string[] }).heard);
  expect(heard).toContain("Drawing at 16 × 16…");
  expect(heard.at(-1)).toMatch(/^Done in/);
  expect(await page.evaluate(() => (window as unknown as { moving: number }).moving)).toBe(0);
});
