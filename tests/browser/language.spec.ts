/** The page in its languages: chosen by the browser, changed by hand, and nothing left out. */

import { expect, type Page, test } from "@playwright/test";
import { english } from "../../www/lib/why.ts";
import { en } from "../../www/src/i18n/en.ts";
import { zh } from "../../www/src/i18n/zh.ts";
import { zhWhys } from "../../www/src/i18n/zh-whys.ts";
import { Studio } from "./studio.ts";
import { openTiny, serveTiny } from "./tiny.ts";

/** What a reader sees or hears, but for what is marked as English, and names. */
async function texts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const walk = (element: Element) => {
      if (element.getAttribute("lang") === "en" || !element.checkVisibility()) return;
      for (const name of ["aria-label", "title", "placeholder", "alt"]) found.push(element.getAttribute(name) ?? "");
      for (const child of element.childNodes) {
        if (child.nodeType === Node.TEXT_NODE) found.push(child.textContent ?? "");
        else if (child instanceof Element) walk(child);
      }
    };
    walk(document.body);
    return found.map((text) => text.replace(/\s+/g, " ").trim()).filter(Boolean);
  });
}

/** Texts of English that a page in another language may have: examples, and names of things. */
const SAME = new Set(["a red house on a hill at night"]);
/** The tiny model's examples, what was written, names. */
const NAMES =
  /a red house on a hill|two green boats on a lake|a yellow sun over the sea|a blue tree in the snow|imagen convert|imagen-web|Unsafe WebGPU Support|use graphics/gi;

async function expectTranslated(page: Page): Promise<void> {
  const seen = await texts(page);
  expect(seen.length).toBeGreaterThan(20);
  const english = new Set(
    Object.values(en).filter((text): text is string => typeof text === "string" && !SAME.has(text)),
  );
  expect(seen.filter((text) => english.has(text))).toEqual([]);
  // Three words of Latin letters in a row are a phrase.
  const phrases = seen.filter((text) => /[a-z]{2,} [a-z]{2,} [a-z]{2,}/i.test(text.replace(NAMES, "")));
  expect(phrases).toEqual([]);
}

test("no text of one language is that of the other", () => {
  // Both have the same keys, or they would not compile.
  const same = Object.entries(en).filter(
    ([key, text]) => typeof text === "string" && zh[key as keyof typeof zh] === text,
  );
  expect(same.map(([key]) => key)).toEqual(["promptPlaceholder"]);
  for (const text of Object.values(zh))
    if (typeof text === "string" && !SAME.has(text)) expect(text).toMatch(/\p{Script=Han}/u);
});

/** Something for every value that a code or a message may have. */
const SAMPLE = {
  ...{
    address: "ADDRESS",
    host: "HOST",
    file: "FILE",
    folder: "FOLDER",
    manifest: "MANIFEST",
    name: "NAME",
    part: "PART",
  },
  ...{
    reason: "REASON",
    start: "START",
    status: 418,
    seconds: 21,
    actual: 12,
    size: 34,
    length: 56,
    max: 78,
    tokens: 91,
  },
  ...{ width: 92, height: 93, negative: false, during: { stage: 94 } },
  ...{ needed: 3 * 2 ** 30, free: 2e9, budget: 5 * 2 ** 30, available: 7 * 2 ** 30 },
};
/** As they are shown. */
const SHOWN = Object.values(SAMPLE)
  .filter((value) => typeof value === "string" || (typeof value === "number" && value < 1e6))
  .map(String);

test("whatever the engine and the store tell has words in every language, with the same values in them", () => {
  const codes = Object.entries(zhWhys);
  expect(codes.length).toBeGreaterThan(Object.keys(english).length + 15);
  for (const [code, words] of codes) {
    const say = words as (why: object) => string;
    const text = say({ code, ...SAMPLE });
    expect(text, code).toMatch(/\p{Script=Han}.*[。：]$/u);
    expect(text, code).not.toMatch(/undefined|NaN|\[object/);
    if (!(code in english)) continue;
    const inEnglish = (english[code as keyof typeof english] as (why: object) => string)(SAMPLE);
    const values = (text: string) => SHOWN.filter((value) => text.includes(value));
    expect(values(text), code).toEqual(values(inEnglish));
  }
  for (const code of Object.keys(english)) expect(zhWhys).toHaveProperty(code);
  // A file that is not there is told with the store's own words for it.
  const why = { code: "notFound", host: "HOST", file: "FILE", status: 404 } as const;
  expect(zhWhys.noFile({ code: "noFile", name: "NAME", reason: "REASON", why })).toBe(
    `无法打开 NAME：${zhWhys.notFound(why)}`,
  );
});

test("every message has words in every language", () => {
  expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  for (const [key, words] of Object.entries(zh)) {
    const english = en[key as keyof typeof en];
    if (key === "whys") continue;
    expect(typeof words, key).toBe(typeof english);
    if (typeof words === "function") expect(words.length, key).toBeLessThanOrEqual((english as () => string).length);
  }
});

test.describe("a browser in Chinese", () => {
  test.use({ locale: "zh-CN" });

  test("has all of the page in Chinese, whatever it shows", async ({ page }) => {
    await page.addInitScript(() => {
      window.confirm = () => false;
    });
    const studio = await openTiny(page, "?device=auto");
    await expect(page.locator("html")).toHaveAttribute("lang", "zh-Hans");
    await expectTranslated(page);
    await page.locator("#settings > summary").click();
    await page.locator("#webgpu > summary").click();
    await page.locator("#count").selectOption("4");
    await expectTranslated(page);
    await studio.generate.click();
    await expect(studio.alert).toHaveText(zh.promptMissing);
    await page.locator("#prompt").fill("山上的红房子");
    await expect(page.locator("#prompt-script")).toContainText("汉字");
    await expectTranslated(page);
    await page.locator("#prompt").fill("a red house on a hill");
    await studio.generate.click();
    await studio.expectState("done");
    await expect(studio.status).toContainText("完成，用时");
    await expectTranslated(page);
    await page.locator("#grid button").first().click();
    await page.locator("#enlarge").click();
    await expect(studio.picture).toHaveJSProperty("width", 64);
    await studio.expectState("done");
    await page.locator("#reuse").click();
    await expectTranslated(page);
    await page.locator("#delete").click();
    await expect(studio.gallery).toContainText(zh.deleted);
    await expectTranslated(page);
  });

  test("is told in Chinese what went wrong, and what has no words yet in English", async ({ page }) => {
    await serveTiny(page, async (file, route) => {
      if (file !== "unet.gguf") return false;
      await route.fulfill({ status: 404 });
      return true;
    });
    await page.goto("?device=cpu");
    const studio = new Studio(page);
    await studio.expectState("idle");
    await page.locator("#prompt").fill("山".repeat(10_001));
    await studio.generate.click();
    await expect(studio.alert).toContainText("提示词有 10001 个字符，最多 10000 个");
    await page.locator("#prompt").fill("a red house on a hill");
    await studio.generate.click();
    await expect(studio.alert).toContainText("没有 unet.gguf（404）");
    await expectTranslated(page);
    await expect(studio.alert.locator("[lang=en]")).toHaveCount(0);
    await page.locator("#model-address").fill("ftp://host/");
    await page.locator("#model-address").press("Enter");
    await expect(page.locator("#model-trouble")).toContainText("ftp://host/ 不是模型的地址");
  });

  test("is told in English what has no words of its own", async ({ page }) => {
    // As an engine that is newer than the page.
    await page.route(/assets\/worker-.*\.js/, async (route) => {
      const response = await route.fetch();
      const newer = `
        const { postMessage } = self;
        self.postMessage = (message, transfer) => {
          const known = message.progress?.event !== "encoding";
          const failed = { kind: "failed", reason: "other", message: "the moon is full", why: { code: "fullMoon" } };
          postMessage.call(self, known ? message : { ...failed, fatal: false }, transfer);
        };`;
      await route.fulfill({ response, body: `${newer}\n${await response.text()}` });
    });
    const studio = await openTiny(page);
    await page.locator("#prompt").fill("a red house on a hill");
    await studio.generate.click();
    await expect(studio.alert.locator("[lang=en]")).toHaveText("The moon is full.");
  });

  test("greets a first visitor in Chinese", async ({ page }) => {
    await serveTiny(page);
    await page.goto("?device=cpu&model=https://models.example/one");
    await expect(page.locator("#ask")).toContainText("models.example");
    await expectTranslated(page);
    await page.getByRole("button", { name: zh.askNo }).click();
    await expect(page.getByRole("heading", { name: zh.welcome })).toBeVisible();
    await expectTranslated(page);
  });
});

test("the language is changed at once, also what was said, and remembered", async ({ page }) => {
  const studio = await openTiny(page);
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await studio.draw({ prompt: "a red house on a hill", seed: 1 });
  await expect(studio.status).toContainText("Done in");
  await page.getByRole("combobox", { name: "Language" }).selectOption({ label: "简体中文" });
  await expect(studio.status).toContainText("完成，用时");
  await expect(page.getByRole("textbox", { name: "Prompt", exact: true })).toHaveCount(0);
  await expect(page.getByRole("textbox", { name: "提示词", exact: true })).toHaveValue("a red house on a hill");
  await expectTranslated(page);
  await page.reload();
  await studio.expectState("idle");
  await expect(page.locator("html")).toHaveAttribute("lang", "zh-Hans");
  await page.getByRole("combobox", { name: "语言" }).selectOption({ label: "English" });
  await expect(studio.prompt).toBeVisible();
});

test("the language is changed while an error stands", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.generate.click();
  await expect(studio.alert).toHaveText(en.promptMissing);
  await page.locator("#language").selectOption({ label: "简体中文" });
  await expect(studio.alert).toHaveText(zh.promptMissing);
  await page.goto("?device=cpu&model=https://");
  await expect(studio.alert).toHaveText(zh.addressWrong("https://"));
});

test("a prompt in a script that the model's examples do not have is said to be probably unknown", async ({ page }) => {
  const studio = await openTiny(page);
  const hint = page.locator("#prompt-script");
  await studio.prompt.fill("a red house on a hill, café");
  await expect(hint).toBeEmpty();
  await studio.prompt.fill("красный дом");
  await expect(hint).toContainText("Cyrillic");
  await studio.prompt.fill("红房子");
  await expect(hint).toContainText("Han");
  // It is a word of advice, nothing more.
  await studio.draw({ seed: 1 });
});
