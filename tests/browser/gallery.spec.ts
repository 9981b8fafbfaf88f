/** The gallery: kept in the browser, the same in all tabs, taken out again. */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { expect, type Page, test } from "@playwright/test";
import { longestTask } from "./main-thread.ts";
import { Studio } from "./studio.ts";
import { openTiny, serveTiny } from "./tiny.ts";

const PROMPT = "a red house on a hill";

test("pictures are there on the next visit, with their settings", async ({ page }) => {
  const studio = await openTiny(page);
  await expect(studio.gallery).toContainText("Finished pictures are kept here");
  await studio.draw({ prompt: PROMPT, seed: 11, steps: { 16: 3 }, stopAfter: 32 });
  const drawn = await studio.pixels();
  await studio.draw({ prompt: "two green boats on a lake", seed: 12, stopAfter: 64 });
  await expect(studio.kept).toHaveCount(2);
  await page.reload();
  await studio.expectState("idle");
  await expect(studio.kept).toHaveCount(2);
  await expect(page.getByRole("img", { name: /^two green boats on a lake, seed 12, 64 × 64, / })).toBeVisible();
  await studio.kept.nth(1).click();
  await expect(studio.picture).toHaveAccessibleName(`${PROMPT} (32 × 32 pixels)`);
  expect((await studio.pixels()).rgba.equals(drawn.rgba)).toBe(true);

  await studio.button("Use these settings").click();
  await expect(studio.prompt).toHaveValue(PROMPT);
  await studio.set({});
  await expect(page.getByRole("spinbutton", { name: "Seed" })).toHaveValue("11");
  await expect(page.getByRole("spinbutton", { name: "Steps for 16 × 16" })).toHaveValue("3");
  await expect(page.getByRole("combobox", { name: "Stop after" })).toHaveValue("32");
  await studio.draw();
  expect((await studio.pixels()).rgba.equals(drawn.rgba)).toBe(true);
});

test("a picture is deleted, put back, and all are deleted when that is confirmed", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.draw({ prompt: PROMPT, seed: 1, stopAfter: 16 });
  await studio.draw({ seed: 2 });
  await studio.button("Delete picture").click();
  await expect(studio.kept).toHaveCount(1);
  await studio.button("Undo").click();
  await expect(studio.kept).toHaveCount(2);
  await studio.kept.first().click();
  await expect(studio.picture).toHaveJSProperty("width", 16);
  await page.reload();
  await studio.expectState("idle");
  await expect(studio.kept).toHaveCount(2);
  page.once("dialog", (dialog) => dialog.dismiss());
  await studio.button("Delete all").click();
  await expect(studio.kept).toHaveCount(2);
  page.once("dialog", (dialog) => dialog.accept());
  await studio.button("Delete all").click();
  await expect(studio.kept).toHaveCount(0);
});

test("all pictures are exported as one archive of files that other programs read", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.draw({ prompt: PROMPT, seed: 1, stopAfter: 32 });
  const png = await studio.png();
  await studio.draw({ prompt: "山 / ..\\a", seed: 2 });
  const download = page.waitForEvent("download");
  await studio.button("Export all (zip)").click();
  const file = test.info().outputPath("gallery.zip");
  await (await download).saveAs(file);
  const read = (name: string) =>
    execFileSync("python3", [
      "-c",
      `import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);assert z.testzip() is None;${name}`,
      file,
    ]);
  expect(read("print('\\n'.join(sorted(z.namelist())))").toString().trim().split("\n")).toEqual([
    "a-red-house-on-a-hill-1-32.png",
    "山-a-2-32.png",
  ]);
  expect(read("sys.stdout.buffer.write(z.read('a-red-house-on-a-hill-1-32.png'))").equals(png)).toBe(true);
});

test("a PNG that was made here gives its settings back when it is dropped; another one says that it has none", async ({
  context,
  page,
}) => {
  const studio = await openTiny(page);
  await studio.draw({ prompt: PROMPT, seed: 33, steps: { 16: 3 }, stopAfter: 32 });
  const made = test.info().outputPath("made.png");
  writeFileSync(made, await studio.png());
  await studio.set({ prompt: "something else", seed: 1, steps: { 16: 4 }, stopAfter: 64 });
  const session = await context.newCDPSession(page);
  const drop = async (file: string) => {
    const data = { items: [], files: [file], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"] as const) {
      await session.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
    }
  };
  await drop(made);
  await expect(studio.told).toHaveText("The settings of made.png are in the form.");
  await expect(studio.prompt).toHaveValue(PROMPT);
  await expect(page.getByRole("spinbutton", { name: "Seed" })).toHaveValue("33");
  await expect(page.getByRole("spinbutton", { name: "Steps for 16 × 16" })).toHaveValue("3");
  await expect(page.getByRole("combobox", { name: "Stop after" })).toHaveValue("32");

  const other = test.info().outputPath("other.txt");
  writeFileSync(other, "no picture");
  await drop(other);
  await expect(studio.told).toHaveText(/other\.txt has no settings in it/);
  await expect(studio.prompt).toHaveValue(PROMPT);
});

test("two tabs have one gallery", async ({ context }) => {
  await serveTiny(context);
  const [first, second] = [new Studio(await context.newPage()), new Studio(await context.newPage())];
  await first.open("cpu");
  await second.open("cpu");
  await Promise.all([
    first.draw({ prompt: PROMPT, seed: 1, stopAfter: 32 }),
    second.draw({ prompt: PROMPT, seed: 2, stopAfter: 32 }),
  ]);
  await expect(first.kept).toHaveCount(2);
  await expect(second.kept).toHaveCount(2);
  await first.kept.first().click();
  await first.button("Delete picture").click();
  await expect(second.kept).toHaveCount(1);
});

declare global {
  interface Window {
    full?: boolean;
  }
}

test("storage that is full is told, and what is kept stays", async ({ page }) => {
  // Every write ends as the standard says for a browser without room: its transaction is aborted with that error.
  await page.addInitScript(() => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...given) {
      const request = put.apply(this, given);
      const { transaction } = this;
      if (window.full && !Object.hasOwn(transaction, "error")) {
        Object.defineProperty(transaction, "error", { value: new DOMException("no room", "QuotaExceededError") });
        queueMicrotask(() => transaction.abort());
      }
      return request;
    };
  });
  const studio = await openTiny(page);
  await studio.draw({ prompt: PROMPT, seed: 1, stopAfter: 32 });
  await expect(studio.kept).toHaveCount(1);
  await page.evaluate(() => {
    window.full = true;
  });
  await studio.draw({ seed: 2 });
  await expect(studio.gallery.getByRole("alert")).toContainText("no more room for pictures");
  await expect(studio.kept).toHaveCount(1);
  expect((await studio.png()).length).toBeGreaterThan(100);
  await page.evaluate(() => {
    window.full = false;
  });
  await studio.draw({ seed: 3 });
  await expect(studio.gallery.getByRole("alert")).toBeHidden();
  await page.reload();
  await studio.expectState("idle");
  await expect(studio.kept).toHaveCount(2);
});

/** So many pictures of that width, put behind the page's back. */
async function fill(page: Page, count: number, width: number): Promise<void> {
  await page.evaluate(
    async ({ count, width }) => {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open("imagen-gallery", 1);
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
      // Colours that no compression makes small, as in a picture.
      const draw = async (size: number, hue: number, type: string) => {
        const canvas = new OffscreenCanvas(size, size);
        const context = canvas.getContext("2d");
        if (!context) throw new Error("no canvas");
        for (let i = 0; i < 400; i += 1) {
          context.fillStyle = `hsl(${hue + ((i * 37) % 90)} ${40 + (i % 50)}% ${30 + (i % 40)}%)`;
          const [x, y] = [((i * 61) % 97) / 97, ((i * 29) % 89) / 89];
          context.beginPath();
          context.ellipse(x * size, y * size, size / 12, size / 30, i, 0, 7);
          context.fill();
        }
        return canvas.convertToBlob({ type, quality: 0.85 });
      };
      const png = await draw(width, 10, "image/png");
      const thumbnails = await Promise.all(Array.from({ length: 20 }, (_, i) => draw(192, i * 18, "image/webp")));
      const transaction = database.transaction(["pictures", "files"], "readwrite");
      for (let i = 0; i < count; i += 1) {
        const stages = { 64: { steps: 25, guidance: 4 } };
        const settings = { prompt: `picture ${i}`, negativePrompt: "", seed: i, stopAt: width, stages };
        const record = { id: `filled-${i}`, created: i, settings, model: "storybook 1.0.0", sizes: [width] };
        transaction.objectStore("pictures").put({ ...record, thumbnail: thumbnails[i % thumbnails.length] });
        transaction.objectStore("files").put(png, [record.id, width]);
      }
      await new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onerror = () => reject(transaction.error);
      });
      database.close();
    },
    { count, width },
  );
}

test("of two thousand pictures only those near the view are in the document, and all can be reached", async ({
  page,
}) => {
  const studio = await openTiny(page);
  await fill(page, 2000, 64);
  await page.reload();
  await studio.expectState("idle");
  await expect(studio.gallery).toContainText("2000 pictures");
  const shown = page.locator("#gallery li");
  const small = page.locator("#gallery .thumbnail");
  const list = page.locator("#gallery .shelf");
  const numbers = () => shown.evaluateAll((items) => items.map((item) => Number(item.getAttribute("aria-posinset"))));
  await expect(small.first()).toHaveAttribute("title", "picture 1999");
  expect(await shown.first().getAttribute("aria-setsize")).toBe("2000");
  const height = await list.evaluate((element) => element.scrollHeight);

  for (const part of [0.5, 1, 0.2]) {
    await list.evaluate((element, part) => {
      element.scrollTop = (element.scrollHeight - element.clientHeight) * part;
    }, part);
    // What is in the document covers what is seen, and each of it has its picture.
    await expect
      .poll(() =>
        list.evaluate((element) => {
          const { top, bottom } = element.getBoundingClientRect();
          const items = [...element.querySelectorAll("li")].map((item) => ({
            item,
            box: item.getBoundingClientRect(),
          }));
          const [first, last] = [items[0]?.box, items.at(-1)?.box];
          const covered = first && last && first.top <= top + 1 && last.bottom >= bottom - 1;
          const seen = items.filter(({ box }) => box.bottom > top && box.top < bottom);
          return covered && seen.every(({ item }) => item.querySelector("img")?.naturalWidth === 192);
        }),
      )
      .toBe(true);
    expect(await shown.count()).toBeLessThan(250);
    const seen = await numbers();
    expect(seen).toEqual(seen.map((_, at) => (seen[0] ?? 0) + at));
    expect(Math.abs((await list.evaluate((element) => element.scrollHeight)) - height)).toBeLessThanOrEqual(1);
  }
  await list.evaluate((element) => {
    element.scrollTop = element.scrollHeight;
  });
  await expect.poll(async () => (await numbers()).at(-1)).toBe(2000);
  await expect(small.last()).toHaveAttribute("title", "picture 0");
  // By the keyboard, beyond what is in the document.
  await small.last().focus();
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("title"));
  for (let i = 1; i <= 120; i += 1) {
    await page.keyboard.press("ArrowLeft");
    await expect.poll(focused, { intervals: [10, 20, 50, 100] }).toBe(`picture ${i}`);
  }

  await page.setViewportSize({ width: 360, height: 640 });
  await list.evaluate((element) => {
    element.scrollTop = element.scrollHeight;
  });
  await expect.poll(async () => (await numbers()).at(-1)).toBe(2000);
  expect(await shown.count()).toBeLessThan(120);
});

test("an archive that cannot be made is told, and so is that it is not being made any more", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.draw({ prompt: PROMPT, seed: 1, stopAfter: 16 });
  // As on a host that has a newer version of the page.
  await page.route(/assets\/export-.*\.js/, (route) => route.fulfill({ status: 404 }));
  await studio.button("Export all (zip)").click();
  await expect(studio.gallery.getByRole("alert")).toBeVisible();
  await expect(studio.told).toBeEmpty();
});

test.describe("responsive", () => {
  // A starved core makes a thread's own time longer too; a task that is really too long is so every time.
  test.describe.configure({ retries: 2 });
  test("two hundred pictures leave the page responsive", async ({ browser, page }) => {
    const studio = await openTiny(page);
    await fill(page, 200, 1024);
    const longest = await longestTask(browser, page, async () => {
      await page.reload();
      await studio.expectState("idle");
      await expect(studio.gallery).toContainText("200 pictures");
      // Looking for roles among hundreds of elements takes the page itself most of a second, so not by role here.
      const small = page.locator("#gallery .thumbnail");
      const front = page.locator("#picture canvas.front");
      await small.nth(3).click();
      await expect(front).toHaveJSProperty("width", 1024);
      await small.nth(3).hover();
      for (let i = 0; i < 20; i += 1) {
        await page.mouse.wheel(0, 400);
        await page.waitForTimeout(50);
      }
      await expect(small.last()).toHaveAttribute("title", "picture 0");
      await small.last().click();
      await expect(page.locator("#tools .facts")).toContainText("picture 0");
      await page.locator("#delete").click();
      await expect(studio.gallery).toContainText("199 pictures");
      await page.locator("#gallery .undo button").click();
      await expect(studio.gallery).toContainText("200 pictures");
      const download = page.waitForEvent("download");
      await page.locator("#gallery .heading button").first().click();
      await download;
      await page.evaluate(() => scrollTo(0, 0));
      await page.locator("#prompt").fill(PROMPT);
      await studio.generate.click();
      await studio.expectState("done");
      await expect(studio.gallery).toContainText("201 pictures");
    });
    const { thread, clock, what } = longest;
    process.stdout.write(`  longest task with 200 pictures: ${thread} ms (${clock} ms on the clock): ${what}\n`);
    expect(thread).toBeLessThan(50);
  });
});
