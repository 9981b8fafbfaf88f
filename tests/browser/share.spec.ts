/** Taking a picture or its settings elsewhere: links, the clipboard, the whole screen. */

import { expect, test } from "@playwright/test";
import { Studio } from "./studio.ts";
import { openTiny, serveTiny } from "./tiny.ts";

const PROMPT = "a red house & a “boat” #1 + 山";

test("a link has the settings, in the part that no server sees, and gives the same picture", async ({
  context,
  page,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const studio = await openTiny(page);
  await studio.set({ prompt: PROMPT, seed: 77, steps: { 16: 3, 32: 2 }, stopAfter: 32 });
  await page.getByRole("textbox", { name: "Negative prompt" }).fill("a boat");
  await page.getByRole("combobox", { name: "Sampler for 16 × 16" }).selectOption("ddpm");
  await studio.draw();
  const drawn = await studio.pixels();
  await studio.button("Share link").click();
  await expect(studio.told).toContainText("on the clipboard");
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const url = new URL(link);
  expect(url.search).toBe("");
  expect(new URLSearchParams(url.hash.slice(1)).get("prompt")).toBe(PROMPT);

  await page.goto("about:blank");
  await page.goto(link.replace("/#", "/?device=cpu#"));
  await studio.expectState("idle");
  await expect(studio.prompt).toHaveValue(PROMPT);
  await studio.set({});
  await expect(page.getByRole("textbox", { name: "Negative prompt" })).toHaveValue("a boat");
  await expect(page.getByRole("combobox", { name: "Sampler for 16 × 16" })).toHaveValue("ddpm");
  await studio.draw();
  expect((await studio.pixels()).rgba.equals(drawn.rgba)).toBe(true);
});

test("what is written while the model is opened stays, and a link's stages count when it is there", async ({
  page,
}) => {
  let opened = () => {};
  const opening = new Promise<void>((resolve) => {
    opened = resolve;
  });
  await serveTiny(page, async (file) => {
    if (file === "imagen.json") await opening;
  });
  await page.goto("?device=cpu#prompt=a+cat&seed=5&stop=32&16=3");
  const studio = new Studio(page);
  await expect(studio.prompt).toHaveValue("a cat");
  await studio.prompt.fill("a dog");
  await page.locator("#seed").fill("6");
  opened();
  await studio.expectState("idle");
  await expect(studio.prompt).toHaveValue("a dog");
  await expect(page.locator("#seed")).toHaveValue("6");
  await studio.set({});
  await expect(page.locator("#stop")).toHaveValue("32");
  await expect(page.getByRole("spinbutton", { name: "Steps for 16 × 16" })).toHaveValue("3");
});

test("a link that makes no sense changes nothing that it must not", async ({ page }) => {
  const studio = await openTiny(
    page,
    "?device=cpu#prompt=a+cat&seed=-1&stop=7&16=1e9,x,eval(1),dynamic&99=1&__proto__=1",
  );
  await expect(studio.prompt).toHaveValue("a cat");
  await studio.set({});
  await expect(page.getByRole("combobox", { name: "Stop after" })).toHaveValue("64");
  await expect(page.getByRole("spinbutton", { name: "Steps for 16 × 16" })).toHaveValue("4");
  await expect(page.getByRole("combobox", { name: "Sampler for 16 × 16" })).toHaveValue("ddim");
  await studio.draw();
});

test("a picture is copied to the clipboard", async ({ context, page }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const studio = await openTiny(page);
  await studio.draw({ prompt: "a red house", seed: 1 });
  await studio.button("Copy").click();
  await expect(studio.told).toHaveText("The picture is on the clipboard.");
  const width = await page.evaluate(async () => {
    const [item] = await navigator.clipboard.read();
    const blob = await item?.getType("image/png");
    return blob && (await createImageBitmap(blob)).width;
  });
  expect(width).toBe(64);
});

test("a browser that keeps its clipboard to itself says so", async ({ page }) => {
  await page.addInitScript(() => {
    const refuse = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    Object.assign(Clipboard.prototype, { write: refuse, writeText: refuse });
  });
  const studio = await openTiny(page);
  await studio.draw({ prompt: "a red house", seed: 1 });
  await studio.button("Copy").click();
  await expect(studio.told).toContainText("did not let the page use the clipboard");
  await studio.button("Share link").click();
  await expect(studio.told.getByRole("link")).toHaveText(/#prompt=a\+red\+house&seed=1/);
});

test("a picture fills the screen, and Escape brings the page back", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.draw({ prompt: "a red house", seed: 1, stopAfter: 16 });
  await studio.draw({ seed: 2 });
  await studio.button("Full screen").click();
  await expect.poll(() => page.evaluate(() => document.fullscreenElement?.id)).toBe("frame");
  await expect(studio.picture).toBeVisible();
  const second = await studio.pixels();
  await page.keyboard.press("ArrowRight");
  await expect.poll(async () => (await studio.pixels()).rgba.equals(second.rgba)).toBe(false);
  await page.evaluate(() => document.exitFullscreen());
  await expect.poll(() => page.evaluate(() => document.fullscreenElement)).toBe(null);
});
