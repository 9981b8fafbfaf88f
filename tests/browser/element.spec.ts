/** `<imagen-canvas>`, from the built npm package, in somebody else's page. */

import AxeBuilder from "@axe-core/playwright";
import { expect, type Locator, type Page, test } from "@playwright/test";
import type { ImagenCanvas } from "../../www/lib/element.ts";
import { Embedding } from "./embedding.ts";
import { buildPackages } from "./npm-packages.ts";

declare global {
  interface Window {
    told: string[];
  }
}

let embedding: Embedding;

test.beforeAll(buildPackages);
test.beforeEach(async ({ page }) => {
  embedding = await Embedding.open(page);
});
test.afterEach(() => embedding.close());

/** Puts elements into the page, so wide and so far down, and writes down their events. */
async function embed(page: Page, html: string, layout = { width: "200px", marginTop: "0" }): Promise<Locator> {
  await page.evaluate(
    async ({ html, layout }) => {
      window.told = [];
      const main = document.querySelector("main");
      Object.assign(main?.style ?? {}, layout);
      if (main) main.innerHTML = html;
      for (const element of document.querySelectorAll("imagen-canvas")) {
        for (const type of ["progress", "stage", "done", "error"]) {
          element.addEventListener(type, (event) => {
            const { detail } = event as CustomEvent;
            const what = type === "progress" ? detail.type : (detail.size ?? `${detail.kind}: ${detail.message}`);
            window.told.push(`${type} ${what}`);
          });
        }
      }
      const path = "/imagen-web/element.js";
      await import(path);
    },
    { html, layout },
  );
  return page.locator("imagen-canvas");
}

async function expectState(element: Locator, state: string): Promise<void> {
  await expect(element).toHaveAttribute("state", state, { timeout: 30_000 });
}

test("it draws when it comes into view, and nothing is fetched before", async ({ page }) => {
  const element = await embed(
    page,
    `<imagen-canvas prompt="a red house" seed="7" device="cpu" autostart badge><p>Not drawn yet</p></imagen-canvas>`,
    { width: "200px", marginTop: "5000px" },
  );
  await expectState(element, "idle");
  // Longer than an observer takes.
  await page.waitForTimeout(300);
  expect(embedding.heavy).toEqual([]);
  await expect(element.getByText("Not drawn yet")).toBeVisible();

  await element.scrollIntoViewIfNeeded();
  await expectState(element, "done");
  expect(embedding.heavy).toContain("/models/storybook/unet.gguf");
  await expect(element.getByText("Not drawn yet")).toBeHidden();
  await expect(element.getByText("AI-generated", { exact: true })).toBeVisible();
  const picture = element.getByRole("img", { name: "AI-generated picture: a red house (64 × 64 pixels)" });
  await expect(picture).toHaveJSProperty("width", 64);
  const told = await page.evaluate(() => window.told);
  expect(told.filter((event) => !event.startsWith("progress"))).toEqual([
    "stage 16",
    "stage 32",
    "stage 64",
    "done 64",
  ]);
  expect(told).toContain("progress step");

  const blobs = await element.evaluate(async (element: ImagenCanvas) => {
    const [png, jpeg] = await Promise.all([element.toBlob(), element.toBlob("image/jpeg", 0.9)]);
    return { types: [png?.type, jpeg?.type], text: await png?.text() };
  });
  expect(blobs.types).toEqual(["image/png", "image/jpeg"]);
  expect(blobs.text).toContain("Seed: 7, Size: 64x64");
});

test("with controls it is used by keyboard alone", async ({ page }) => {
  const element = await embed(
    page,
    `<imagen-canvas model="/model/" device="cpu" stages="32" controls></imagen-canvas>`,
  );
  const prompt = element.getByRole("textbox", { name: "Describe a picture" });
  await page.keyboard.press("Tab");
  await expect(prompt).toBeFocused();
  await page.keyboard.type("a green boat");
  await page.keyboard.press("Control+Enter");
  await expectState(element, "done");
  await expect(element.getByRole("status")).toHaveText("The picture is done.");
  await expect(element).toHaveAttribute("prompt", "a green boat");
  await page.keyboard.press("Tab");
  await expect(element.getByRole("button", { name: "Draw" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expectState(element, "done");
  await expect.poll(() => page.evaluate(() => window.told.filter((event) => event === "done 32").length)).toBe(2);
  await page.keyboard.press("Tab");
  const save = element.getByRole("link", { name: "Save PNG" });
  await expect(save).toBeFocused();
  const download = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  expect((await download).suggestedFilename()).toBe("picture-0-32.png");
});

test("axe finds nothing, before, during and after", async ({ page }) => {
  const element = await embed(
    page,
    `<h1>Pictures</h1><imagen-canvas model="/model/" device="cpu" controls badge prompt="a boat"></imagen-canvas>`,
  );
  const check = async () => expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await check();
  await element.evaluate((element: ImagenCanvas) => {
    element.generate({ stages: { 16: { steps: 1000 } } }).promise.catch(() => {});
  });
  await expectState(element, "drawing");
  await check();
  await element.getByRole("button", { name: "Cancel" }).click();
  await expectState(element, "idle");
  await element.getByRole("button", { name: "Draw" }).click();
  await expectState(element, "done");
  await check();
});

test("generate() gives a promise and an end, and cancel() ends too", async ({ page }) => {
  const element = await embed(page, `<imagen-canvas prompt="a boat" model="/model/" device="cpu"></imagen-canvas>`);
  const result = await element.evaluate(async (element: ImagenCanvas) => {
    const kind = (error: { kind: string }) => error.kind;
    const endless = { stages: { 16: { steps: 1000 } } };
    const first = element.generate(endless);
    const second = element.generate(endless);
    setTimeout(() => second.abort(), 200);
    const ends = await Promise.all([first, second].map(({ promise }) => promise.catch(kind)));
    const third = element.generate(endless);
    setTimeout(() => element.cancel(), 100);
    ends.push(await third.promise.catch(kind));
    const { size } = await element.generate({ stopAt: 16 }).promise;
    return { ends, size };
  });
  expect(result).toEqual({ ends: ["cancelled", "cancelled", "cancelled"], size: 16 });
  expect(await page.evaluate(() => window.told.filter((event) => event.startsWith("error")))).toEqual([]);
});

test("all elements of a page share one engine, which goes with the last of them", async ({ page }) => {
  const one = `<imagen-canvas prompt="a boat" model="/model/" device="cpu" stages="32" autostart></imagen-canvas>`;
  const elements = await embed(page, one.repeat(3));
  for (const index of [0, 1, 2]) await expectState(elements.nth(index), "done");
  // The engine and the store of models.
  await embedding.expectWorkers(2);
  // Moved, it stays; what is left of it goes.
  await page.evaluate(() => document.querySelector("main")?.append(document.querySelector("imagen-canvas") as Node));
  await embedding.expectWorkers(2);
  await page.evaluate(() => document.querySelector("main")?.replaceChildren());
  await embedding.expectWorkers(1);
});

test("a change draws again, and only what its author allows", async ({ page }) => {
  const element = await embed(
    page,
    `<imagen-canvas prompt="a boat" model="/model/" device="cpu" stages="16" autostart blocklist="wolf, bear"></imagen-canvas>`,
  );
  await expectState(element, "done");
  await element.evaluate((element: ImagenCanvas) => {
    element.prompt = "a red house";
    element.seed = 5;
  });
  await expect(element.getByRole("img", { name: "a red house" })).toBeVisible();
  await expectState(element, "done");
  await element.evaluate((element: ImagenCanvas) => element.setAttribute("prompt", "a Bear"));
  await expectState(element, "error");
  await expect(element.getByRole("status")).toHaveText("This page does not draw “bear”; try another prompt.");
  const told = await page.evaluate(() => window.told.filter((event) => !event.startsWith("progress")));
  expect(told).toEqual([
    ...["stage 16", "done 16", "stage 16", "done 16"],
    "error refused: this page does not draw “bear”; try another prompt",
  ]);
});

test("properties that were set before the element was defined count", async ({ page }) => {
  const element = page.locator("imagen-canvas");
  await page.evaluate(async () => {
    const early = document.createElement("imagen-canvas");
    Object.assign(early, { prompt: "a boat", seed: 9, model: "/model/", device: "cpu", stages: 16, autostart: true });
    document.querySelector("main")?.append(early);
    const path = "/imagen-web/element.js";
    await import(path);
  });
  await expectState(element, "done");
  const text = await element.evaluate(async (element: ImagenCanvas) => (await element.toBlob())?.text());
  expect(text).toContain("Seed: 9, Size: 16x16");
});

test("a rule that was set before the element was defined is asked", async ({ page }) => {
  await page.evaluate(async () => {
    const early = document.createElement("imagen-canvas");
    const allowPrompt = () => "not here";
    Object.assign(early, { prompt: "a boat", model: "/model/", device: "cpu", allowPrompt, autostart: true });
    document.querySelector("main")?.append(early);
    const path = "/imagen-web/element.js";
    await import(path);
  });
  const element = page.locator("imagen-canvas");
  await expectState(element, "error");
  await expect(element.getByRole("status")).toHaveText("Not here.");
});

test("the model's attribute and property are one, also where no text can say it", async ({ page }) => {
  const element = await embed(
    page,
    `<imagen-canvas prompt="a boat" device="cpu" stages="16" autostart></imagen-canvas>`,
  );
  await expectState(element, "done");
  const done = () => page.evaluate(() => window.told.filter((event) => event === "done 16").length);
  await expect.poll(done).toBe(1);
  const set = (change: (element: ImagenCanvas) => void) => element.evaluate(change);
  await set((element) => {
    const at = (file: string) => new URL(`/model/${file}`, location.href);
    const names = ["tokenizer.json", "text_encoder.gguf", "unet.gguf", "super_res_1.gguf", "super_res_2.gguf"];
    element.model = { manifest: at("imagen.json"), files: Object.fromEntries(names.map((name) => [name, at(name)])) };
  });
  await expect.poll(done).toBe(2);
  await set((element) => {
    element.model = "/model/";
  });
  await expect(element).toHaveAttribute("model", "/model/");
  await expect.poll(done).toBe(3);
  await set((element) => element.setAttribute("model", "/models/storybook/"));
  expect(await element.evaluate((element: ImagenCanvas) => element.model)).toBe("/models/storybook/");
  await expect.poll(done).toBe(4);
});

test("the finished picture stays what it is while the next one is drawn, and nothing of it stays behind", async ({
  page,
}) => {
  const element = await embed(
    page,
    `<imagen-canvas model="/model/" device="cpu" stages="16" controls></imagen-canvas>`,
  );
  const result = await element.evaluate(async (element: ImagenCanvas) => {
    const pixels = async () => {
      const blob = await element.toBlob("image/webp", 1);
      const bitmap = await createImageBitmap(blob as Blob);
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
      context.drawImage(bitmap, 0, 0);
      return [...context.getImageData(0, 0, bitmap.width, bitmap.height).data];
    };
    await element.generate({ prompt: "a boat", seed: 1 }).promise;
    const before = await pixels();
    const next = element.generate({ prompt: "a red house", seed: 2, stages: { 16: { steps: 1000 } } });
    next.promise.catch(() => {});
    await new Promise((resolve) => {
      element.addEventListener("progress", (event) => {
        if ((event as unknown as CustomEvent).detail.type === "preview") resolve(undefined);
      });
    });
    const during = await pixels();
    next.abort();
    const link = () => element.shadowRoot?.querySelector("a")?.href ?? "";
    const offered = link();
    const parent = element.parentElement;
    element.remove();
    await new Promise((resolve) => setTimeout(resolve));
    const image = new Image();
    image.src = offered;
    const gone = await image.decode().then(
      () => "there",
      () => "gone",
    );
    parent?.append(element);
    return { same: JSON.stringify(before) === JSON.stringify(during), gone, again: link().slice(0, 5) };
  });
  expect(result).toEqual({ same: true, gone: "gone", again: "blob:" });
});

test("a model that is missing is told, and the fallback stays", async ({ page }) => {
  const element = await embed(
    page,
    `<imagen-canvas prompt="a boat" model="/nothing/" autostart><p>A boat, as it could be</p></imagen-canvas>`,
  );
  await expectState(element, "error");
  await expect(element.getByText("A boat, as it could be")).toBeVisible();
  await expect(element.getByRole("status")).toContainText("imagen.json");
  expect((await page.evaluate(() => window.told)).at(-1)).toMatch(/^error model: /);
});
