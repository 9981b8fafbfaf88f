/** The first visit: what is said before anything large is fetched, and the download with all that may befall it. */

import { readFileSync } from "node:fs";
import { expect, type Page, test } from "@playwright/test";
import { ModelServer } from "./model-server.ts";
import { ModelsPage } from "./models-page.ts";
import { Studio } from "./studio.ts";
import { openTiny, serveTiny } from "./tiny.ts";

const PROMPT = "a red house on a hill";
const WEIGHTS = /\.gguf$/;
/** Two of the tiny cascade's four files are the same, which the store fetches once. */
const FILES = 3;

/** The weights that were asked for. */
function weights(page: Page): string[] {
  const asked: string[] = [];
  page.on("request", (request) => {
    if (WEIGHTS.test(new URL(request.url()).pathname)) asked.push(request.url());
  });
  return asked;
}

test("it is said what this is and how much will be fetched, before any weight is", async ({ page }) => {
  const asked = weights(page);
  const studio = await openTiny(page);
  const welcome = page.getByRole("region", { name: "Pictures from words, on your own computer" });
  await expect(welcome).toContainText("the model tiny (");
  await expect(welcome).toContainText("Nothing is fetched before you say so.");
  await expect(studio.generate).toHaveText(/^Generate downloads \d+ kB first$/);
  await studio.prompt.fill(PROMPT);
  await page.waitForTimeout(500);
  expect(asked).toEqual([]);

  await welcome.getByRole("button", { name: /^Download the model \(\d+ kB\)$/ }).click();
  await expect(welcome).toBeHidden();
  await expect(studio.generate).toHaveText("Generate");
  expect(asked).toHaveLength(FILES);
  await studio.draw({ seed: 1 });
  expect(asked).toHaveLength(FILES);
  await page.reload();
  await studio.expectState("idle");
  await expect(studio.generate).toHaveText("Generate");
  await expect(welcome).toBeHidden();
});

test("Generate is an answer too: it downloads and draws", async ({ page }) => {
  const asked = weights(page);
  const studio = await openTiny(page);
  await studio.draw({ prompt: PROMPT, seed: 1 });
  expect((await studio.pixels()).size).toBe(64);
  expect(asked).toHaveLength(FILES);
});

test("a download is paused and resumed, and so is the picture that waits for it", async ({ page }) => {
  let open = () => {};
  let gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  await serveTiny(page, (file) => (file.startsWith("super_res") ? gate : Promise.resolve()));
  await page.goto("?device=cpu");
  const studio = new Studio(page);
  await studio.expectState("idle");
  await studio.set({ prompt: PROMPT, seed: 1 });
  await studio.generate.click();
  // The first stage does not wait for the weights of the others.
  await expect(studio.picture).toHaveAccessibleName(`${PROMPT} (16 × 16 pixels)`, { timeout: 30_000 });
  const download = page.locator("[data-download]");
  await expect(download).toHaveAttribute("data-download", /downloading|waiting/);
  await expect(download).toContainText(/\d+ kB of \d+ kB/);
  await download.getByRole("button", { name: "Pause" }).click();
  await expect(studio.status).toHaveText("Paused: it goes on when the download does.");
  await expect(download).toHaveAttribute("data-download", "partial");
  open();
  gate = Promise.resolve();
  await download.getByRole("button", { name: "Resume" }).click();
  await studio.expectState("done", 60_000);
  expect((await studio.pixels()).size).toBe(64);
  await expect(download).toBeHidden();
});

test("a download is stopped, and what is there is kept", async ({ page }) => {
  let held: (() => void) | undefined;
  await serveTiny(page, (file) =>
    file === "unet.gguf" && !held
      ? new Promise<void>((resolve) => {
          held = resolve;
        })
      : Promise.resolve(),
  );
  await page.goto("?device=cpu");
  const studio = new Studio(page);
  await studio.expectState("idle");
  await page.getByRole("button", { name: /^Download the model/ }).click();
  const download = page.locator("[data-download]");
  await expect(download).toHaveAttribute("data-download", /downloading|waiting/);
  await download.getByRole("button", { name: "Stop" }).click();
  await expect(download).toHaveAttribute("data-download", "partial");
  await expect(download.getByRole("progressbar")).toBeVisible();
  held?.();
  await download.getByRole("button", { name: "Resume" }).click();
  await expect(download).toBeHidden();
});

test("a link to another model asks before it contacts the host; an answer is remembered by what is stored", async ({
  page,
}) => {
  const folder = new URL("tiny/", import.meta.url);
  const manifest = JSON.parse(readFileSync(new URL("imagen.json", folder), "utf8"));
  const files = new Map<string, Buffer>();
  for (const name of ["tokenizer.json", "text_encoder.gguf", "unet.gguf", "super_res_1.gguf", "super_res_2.gguf"]) {
    files.set(name, readFileSync(new URL(name, folder)));
  }
  files.set("imagen.json", Buffer.from(JSON.stringify({ ...manifest, name: "elsewhere" })));
  const server = await ModelServer.start(files);
  try {
    await serveTiny(page);
    const contacted: string[] = [];
    page.on("request", (request) => {
      if (request.url().startsWith(new URL(server.url).origin)) contacted.push(request.url());
    });
    const studio = new Studio(page);
    const ask = page.getByRole("region", { name: "Open a model from elsewhere?" });
    await page.goto(`?device=cpu&model=${encodeURIComponent(server.url)}`);
    await expect(ask).toContainText(server.url);
    await page.waitForTimeout(300);
    expect(contacted).toEqual([]);
    await ask.getByRole("button", { name: "Use the model of this page" }).click();
    await expect(page.getByText("Model: tiny 1.0.0")).toBeVisible();
    expect(contacted).toEqual([]);

    await page.reload();
    await ask.getByRole("button", { name: "Download and open it" }).click();
    await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
    await studio.draw({ prompt: PROMPT, seed: 1 });
    // What is here already needs no question.
    await page.reload();
    await expect(page.getByText("Model: elsewhere 1.0.0")).toBeVisible();
    await expect(ask).toBeHidden();
    await studio.draw({ prompt: PROMPT, seed: 1 });
    await studio.button("Share link").click();
    expect(await studio.told.getByRole("link").getAttribute("href")).toContain(
      `?model=${encodeURIComponent(server.url)}#`,
    );
  } finally {
    await server.stop();
  }
});

test("names in a manifest are text, whatever they hold", async ({ page }) => {
  const hostile = "<img src=x onerror=\"document.title='owned'\">{{7*7}}";
  const manifest = JSON.parse(readFileSync(new URL("tiny/imagen.json", import.meta.url), "utf8"));
  Object.assign(manifest, { name: hostile, version: hostile, license: "<script>1</script>", examples: [hostile, "b"] });
  await serveTiny(page, async (file, route) => {
    if (file !== "imagen.json") return false;
    await route.fulfill({ json: manifest });
    return true;
  });
  await page.goto("?device=cpu");
  const studio = new Studio(page);
  await studio.expectState("idle");
  await expect(page.locator("#welcome")).toContainText(`the model ${hostile} (`);
  await expect(page.getByRole("button", { name: hostile, exact: true })).toBeVisible();
  await page.getByRole("button", { name: hostile, exact: true }).click();
  await expect(studio.prompt).toHaveValue(hostile);
  await studio.draw({ seed: 1 });
  await expect(page.locator("#models").getByRole("listitem")).toContainText(hostile);
  expect(await page.title()).toBe("imagen-web");
  expect(await page.locator("#app img[src=x], #app script").count()).toBe(0);
});

test("what is stored of a model is verified, and what was damaged is fetched again", async ({ page }) => {
  const studio = await openTiny(page);
  await studio.draw({ prompt: PROMPT, seed: 1 });
  const models = new ModelsPage(page);
  const verify = models.section.getByRole("button", { name: "Verify tiny (built in)" });
  await verify.click();
  await expect(verify).toHaveText("Verify");
  await models.expectState("tiny", "whole");
  const damaged = await page.evaluate(async (size) => {
    const root = await navigator.storage.getDirectory();
    const files = await (await root.getDirectoryHandle("models")).getDirectoryHandle("files");
    for await (const [name, handle] of files.entries()) {
      const file = await (handle as FileSystemFileHandle).getFile();
      if (name.endsWith(".pieces") || file.size !== size) continue;
      const stream = await (handle as FileSystemFileHandle).createWritable({ keepExistingData: true });
      await stream.write({ type: "write", position: 1000, data: "damaged" });
      await stream.close();
      return name;
    }
    return undefined;
  }, 149_312);
  expect(damaged).toBeDefined();
  await verify.click();
  await models.expectState("tiny", "partial");
  await page.locator("[data-download]").getByRole("button", { name: "Resume" }).click();
  await models.expectState("tiny", "whole");
  await studio.draw({ seed: 1 });
});

test("a folder is remembered, opened again by a click, and forgotten", async ({ page }) => {
  // A folder of the page's own storage stands for one that the user picked: a dialog of the system cannot be clicked.
  await page.addInitScript(() => {
    Object.assign(window, {
      showDirectoryPicker: async () => (await navigator.storage.getDirectory()).getDirectoryHandle("picked"),
    });
  });
  const studio = await openTiny(page);
  const names = [
    "imagen.json",
    "tokenizer.json",
    "text_encoder.gguf",
    "unet.gguf",
    "super_res_1.gguf",
    "super_res_2.gguf",
  ];
  const files = names.map(
    (name) => [name, readFileSync(new URL(`tiny/${name}`, import.meta.url)).toString("base64")] as const,
  );
  await page.evaluate(async (files) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("picked", { create: true });
    for (const [name, text] of files) {
      const stream = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await stream.write(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
      await stream.close();
    }
  }, files);
  const models = new ModelsPage(page);
  const opened = models.section.getByRole("listitem").filter({ hasText: "in a folder" });
  await models.section.getByRole("button", { name: "Open a folder…" }).click();
  await expect(opened).toHaveAttribute("aria-current", "true");
  await studio.draw({ prompt: PROMPT, seed: 1 });
  await page.reload();
  await studio.expectState("idle");
  await expect(opened).toHaveCount(0);
  await models.section.getByRole("button", { name: "Open picked" }).click();
  await expect(opened).toHaveAttribute("aria-current", "true");
  await studio.draw({ prompt: PROMPT, seed: 1 });
  await page.reload();
  await studio.expectState("idle");
  await models.section.getByRole("button", { name: "Forget picked" }).click();
  await page.reload();
  await studio.expectState("idle");
  await expect(models.section.getByText("picked", { exact: true })).toHaveCount(0);
});

test("a GPU is prepared while the first prompt is written, and the picture then needs no more of that", async ({
  page,
}) => {
  // A software adapter compiles the pipelines.
  test.setTimeout(480_000);
  const studio = await openTiny(page, "?device=gpu");
  await page.getByRole("button", { name: /^Download the model/ }).click();
  await expect(studio.status).toContainText(/Preparing the GPU for the first picture: \d+ of \d+…/, {
    timeout: 60_000,
  });
  await expect(studio.status).toHaveText("Everything is ready for the first picture.", { timeout: 400_000 });
  await expect(studio.kept).toHaveCount(0);
  await page.evaluate(() => {
    const compiled: string[] = [];
    Object.assign(window, { compiled });
    const watch = new MutationObserver(() => {
      const text = document.querySelector("#status")?.textContent ?? "";
      if (text.startsWith("Preparing")) compiled.push(text);
    });
    watch.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await studio.draw({ prompt: PROMPT, seed: 1 }, 120_000);
  expect(await page.evaluate(() => (window as unknown as { compiled: string[] }).compiled)).toEqual([]);
});
