/** The JavaScript API, from the built npm package. */

import { expect, type Page, test } from "@playwright/test";
import type { GenerateOptions, Imagen as ImagenClass, LoadOptions } from "../../www/lib/imagen.ts";
import { Embedding } from "./embedding.ts";
import { buildPackages } from "./npm-packages.ts";

type Library = { Imagen: typeof ImagenClass; blocklist: (words: string[]) => LoadOptions["allowPrompt"] };

declare global {
  interface Window {
    library: () => Promise<Library>;
    run: (imagen: ImagenClass, request: GenerateOptions) => Promise<Told>;
  }
}

/** What a run told, in a form that can leave the page. */
interface Told {
  events: string[];
  notices: string[];
  /** Pixels of each finished stage, by size. */
  pixels: Record<number, number[]>;
  png: number[];
  error?: { name: string; kind: string; message: string };
}

let embedding: Embedding;

test.beforeAll(buildPackages);
test.beforeEach(async ({ page }) => {
  embedding = await Embedding.open(page);
  await page.evaluate(() => {
    const path = "/imagen-web/index.js";
    window.library = () => import(path);
    window.run = async (imagen, request) => {
      const told: Told = { events: [], notices: [], pixels: {}, png: [] };
      try {
        for await (const event of imagen.generate(request)) {
          told.events.push("size" in event ? `${event.type} ${event.size}` : event.type);
          if (event.type === "notice") told.notices.push(event.message);
          if (event.type === "preview") event.bitmap.close();
          if (event.type !== "picture") continue;
          const canvas = new OffscreenCanvas(event.size, event.size);
          const context = canvas.getContext("2d");
          context?.drawImage(event.bitmap, 0, 0);
          event.bitmap.close();
          told.pixels[event.size] = [...(context?.getImageData(0, 0, event.size, event.size).data ?? [])];
          told.png = [...new Uint8Array(await event.png.arrayBuffer())];
        }
      } catch (error) {
        const { name, kind, message } = error as { name: string; kind: string; message: string };
        told.error = { name, kind, message };
      }
      return told;
    };
  });
});
test.afterEach(() => embedding.close());

/** Loads the tiny cascade on the CPU and runs a request. */
function generate(page: Page, request: GenerateOptions): Promise<Told> {
  return page.evaluate(async (request) => {
    const { Imagen } = await window.library();
    const imagen = await Imagen.load({ model: "/model/", device: "cpu" });
    const told = await window.run(imagen, request);
    imagen.close();
    return told;
  }, request);
}

test("a run tells its stages in order, and its PNG tells the request", async ({ page }) => {
  const told = await generate(page, {
    prompt: "a red house",
    negativePrompt: "rain",
    seed: 7,
    stages: {
      16: { steps: 3, guidance: 1.5, sampler: "ddim:0.5" },
      32: { thresholding: { kind: "static", max: 0.9 } },
    },
    stopAt: 32,
  });
  expect(told.error).toBeUndefined();
  const milestones = told.events.filter((event) => /^(encoding|stage|picture)/.test(event));
  expect(milestones).toEqual(["encoding", "stage 16", "picture 16", "stage 32", "picture 32"]);
  expect(told.events.filter((event) => event === "step 16")).toHaveLength(3);
  expect(told.events).toContain("preview 16");

  const settings = await page.evaluate(async (png) => {
    const { Imagen } = await window.library();
    return Imagen.readSettings(new Blob([new Uint8Array(png)]));
  }, told.png);
  expect(settings).toEqual({
    prompt: "a red house",
    negativePrompt: "rain",
    seed: 7,
    model: "tiny 1.0.0",
    program: "imagen-web 0.1.0",
    width: 32,
    height: 32,
    stages: {
      16: { steps: 3, guidance: 1.5, sampler: "ddim:0.5" },
      32: { steps: 2, thresholding: { kind: "static", max: 0.9 } },
    },
  });
});

/** A run hands on its pictures unrounded; the PNG of a stage has 8 bits. */
test("going on from a finished stage gives the pictures of one run, but for the rounding", async ({ page }) => {
  const request = { prompt: "a red house", seed: 3 };
  const whole = await generate(page, request);
  expect(Object.keys(whole.pixels)).toEqual(["16", "32", "64"]);
  const again = await page.evaluate(async (request) => {
    const { Imagen } = await window.library();
    const imagen = await Imagen.load({ model: "/model/", device: "cpu" });
    const first = await window.run(imagen, { ...request, stopAt: 16 });
    const picture = new Blob([new Uint8Array(first.png)], { type: "image/png" });
    const told = await window.run(imagen, { ...request, startAt: 32, picture });
    const settings = await Imagen.readSettings(new Blob([new Uint8Array(told.png)]));
    imagen.close();
    return { told, settings };
  }, request);
  expect(again.told.error).toBeUndefined();
  expect(again.told.notices).toEqual([]);
  for (const size of [32, 64]) expect(psnr(again.told.pixels[size], whole.pixels[size])).toBeGreaterThan(45);
  expect(again.settings?.startAt).toBe(32);
});

test("any picture can be enlarged, and what is done to it is told", async ({ page }) => {
  const told = await page.evaluate(async () => {
    const { Imagen } = await window.library();
    const imagen = await Imagen.load({ model: "/model/", device: "cpu" });
    const canvas = new OffscreenCanvas(200, 100);
    const context = canvas.getContext("2d");
    if (context) context.fillStyle = "teal";
    context?.fillRect(0, 0, 200, 100);
    const picture = await canvas.convertToBlob({ type: "image/jpeg" });
    const told = await window.run(imagen, { prompt: "a red house", startAt: 32, stopAt: 32, picture });
    const text = new Blob(["no picture"]);
    const failed = await window.run(imagen, { prompt: "a red house", startAt: 32, picture: text });
    const missing = await window.run(imagen, { prompt: "a red house", startAt: 32 });
    imagen.close();
    return { told, failed: failed.error, missing: missing.error };
  });
  expect(told.told.error).toBeUndefined();
  expect(told.told.notices).toEqual([
    "The picture to start from was cut to its middle square and scaled from 200 × 100 to 16 × 16 pixels.",
  ]);
  expect(told.failed).toMatchObject({ kind: "request", message: expect.stringContaining("cannot be read") });
  expect(told.missing).toMatchObject({ kind: "request", message: expect.stringContaining("enlarges a picture") });
});

test("what cannot run is refused with its reason", async ({ page }) => {
  const refused = async (request: GenerateOptions) => (await generate(page, request)).error;
  const kind = "request";
  expect(await refused({ prompt: " " })).toMatchObject({ name: "ImagenError", kind });
  expect(await refused({ prompt: "a", stopAt: 33 })).toMatchObject({
    kind,
    message: expect.stringContaining("16, 32, 64"),
  });
  expect(await refused({ prompt: "a", stages: { 16: { steps: 0 } } })).toMatchObject({
    kind,
    message: expect.stringContaining("steps"),
  });
  const sampler = "euler" as "ddim";
  expect(await refused({ prompt: "a", stages: { 16: { sampler } } })).toMatchObject({
    kind,
    message: expect.stringContaining("euler"),
  });
});

test("break ends a run, a signal too, and the next one works", async ({ page }) => {
  const result = await page.evaluate(async () => {
    const { Imagen } = await window.library();
    const imagen = await Imagen.load({ model: "/model/", device: "cpu" });
    const endless = { prompt: "a red house", stages: { 16: { steps: 1000 } }, stopAt: 16 };
    let steps = 0;
    for await (const event of imagen.generate(endless)) {
      if (event.type === "step") steps += 1;
      if (steps === 3) break;
    }
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 100);
    const aborted = await window.run(imagen, { ...endless, signal: abort.signal });
    // It ends a run also while somebody waits for its next event.
    const iterator = imagen.generate(endless);
    const soon = (next: Promise<unknown>) =>
      Promise.race([next.then(() => true), new Promise((resolve) => setTimeout(resolve, 0, false))]);
    let waiting = iterator.next();
    while (await soon(waiting)) waiting = iterator.next();
    await iterator.return(undefined);
    const ended = (await waiting).done;
    // One that was never read, and one that is ended before it has begun, are over at once.
    await imagen.generate(endless).return(undefined);
    const early = imagen.generate(endless);
    const [first] = await Promise.all([early.next(), early.return(undefined)]);
    const told = await window.run(imagen, { prompt: "a red house", stopAt: 16 });
    imagen.close();
    return { steps, aborted: aborted.error?.kind, ended, early: first.done, last: told.events.at(-1) };
  });
  expect(result).toEqual({ steps: 3, aborted: "cancelled", ended: true, early: true, last: "picture 16" });
});

test("users with the same model and options share a worker, and their runs take turns", async ({ page }) => {
  const told = await page.evaluate(async () => {
    const { Imagen } = await window.library();
    const load = () => Imagen.load({ model: "/model/", device: "cpu" });
    const both = await Promise.all([load(), load()]);
    const runs = await Promise.all(both.map((imagen, seed) => window.run(imagen, { prompt: "a red house", seed })));
    const again = await window.run(both[1] as ImagenClass, { prompt: "a red house", seed: 0 });
    both[0]?.close();
    return [...runs, again].map(({ error, events, pixels }) => ({ error, events, pixels: pixels[64] }));
  });
  const [first, second, again] = told;
  expect(told.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
  for (const { events } of told) expect(events.filter((event) => event.startsWith("stage"))).toHaveLength(3);
  expect(first?.pixels).toEqual(again?.pixels);
  expect(first?.pixels).not.toEqual(second?.pixels);
  await embedding.expectWorkers(2);
});

test("engines with other options run beside each other, and a closed one is gone", async ({ page }) => {
  const errors = await page.evaluate(async () => {
    const { Imagen } = await window.library();
    const one = await Imagen.load({ model: "/model/", device: "cpu" });
    const other = await Imagen.load({ model: "/models/storybook/", device: "cpu", gpuMemory: 2 ** 30 });
    const request = { prompt: "a red house", stopAt: 32 };
    const told = await Promise.all([window.run(one, request), window.run(other, request), window.run(one, request)]);
    other.close();
    const closed = await window.run(other, request);
    told.push(await window.run(one, request));
    return { errors: told.map(({ error }) => error), closed: closed.error?.kind };
  });
  expect(errors).toEqual({ errors: [undefined, undefined, undefined, undefined], closed: "cancelled" });
  await embedding.expectWorkers(2);
});

test("a model that cannot be had says why, and the next try may succeed", async ({ page }) => {
  const errors = await page.evaluate(async () => {
    const { Imagen } = await window.library();
    const kinds: Record<string, string> = {};
    const failed = async (name: string, options: LoadOptions) => {
      kinds[name] = await Imagen.load({ device: "cpu", ...options }).then(
        () => "loaded",
        (error) => `${error.name} ${error.kind}`,
      );
    };
    await failed("nowhere", { model: "/nothing/" });
    await failed("unreachable", { model: "http://localhost:9/" });
    await failed("no address", { model: "ftp://host/" });
    await failed("no manifest", { model: "/imagen-web/imagen.json" });
    await failed("no such device", { model: "/model/", device: "abacus" as "cpu" });
    const gone = AbortSignal.abort();
    await failed("aborted", { model: "/model/", signal: gone });
    await failed("there", { model: "/model/" });
    return kinds;
  });
  expect(errors).toEqual({
    nowhere: "ImagenError model",
    unreachable: "ImagenError network",
    "no address": "ImagenError model",
    "no manifest": "ImagenError model",
    "no such device": "ImagenError request",
    aborted: "ImagenError cancelled",
    there: "loaded",
  });
});

test("a load that is given up before its manifest is there downloads nothing", async ({ page }) => {
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const asked = page.context().waitForEvent("request", (request) => request.url().endsWith("/model/imagen.json"));
  await page.context().route("**/model/imagen.json", async (route) => {
    await answered;
    await route.continue();
  });
  const kind = page.evaluate(async () => {
    const { Imagen } = await window.library();
    const abort = new AbortController();
    Object.assign(window, { giveUp: () => abort.abort() });
    return Imagen.load({ model: "/model/", device: "cpu", signal: abort.signal }).catch((error) => error.kind);
  });
  await asked;
  await page.evaluate(() => (window as unknown as { giveUp: () => void }).giveUp());
  expect(await kind).toBe("cancelled");
  answer();
  // Longer than the store takes from the manifest to the first file.
  await page.waitForTimeout(500);
  expect(embedding.heavy.filter((path) => path.endsWith(".gguf"))).toEqual([]);
});

test("errors have a code and its values, for pages in other languages", async ({ page }) => {
  const whys = await page.evaluate(async () => {
    const { Imagen } = await window.library();
    const failed = (options: LoadOptions) => Imagen.load({ device: "cpu", ...options }).catch(({ why }) => why);
    const imagen = await Imagen.load({ model: "/model/", device: "cpu" });
    const long = imagen.generate({ prompt: "x".repeat(10_001) });
    return [
      await failed({ model: "/nothing/" }),
      await failed({ model: "ftp://host/" }),
      await long.next().catch(({ why }) => why),
      imagen.device.why,
    ];
  });
  expect(whys).toEqual([
    { code: "notFound", host: new URL(page.url()).host, file: "imagen.json", status: 404 },
    { code: "addressWrong", address: "ftp://host/" },
    { code: "promptTooLong", negative: false, length: 10_001, max: 10_000 },
    { code: "cpuAskedFor" },
  ]);
});

test("an Imagen that is closed while its author's rule is asked runs nothing", async ({ page }) => {
  const kind = await page.evaluate(async () => {
    const { Imagen } = await window.library();
    const rule = Promise.withResolvers<boolean>();
    const imagen = await Imagen.load({ model: "/model/", device: "cpu", allowPrompt: () => rule.promise });
    const run = window.run(imagen, { prompt: "a red house" });
    imagen.close();
    rule.resolve(true);
    return (await run).error?.kind;
  });
  expect(kind).toBe("cancelled");
});

test("a site's author may refuse prompts", async ({ page }) => {
  const errors = await page.evaluate(async () => {
    const { Imagen, blocklist } = await window.library();
    const load = (allowPrompt: LoadOptions["allowPrompt"]) =>
      Imagen.load({ model: "/model/", device: "cpu", allowPrompt });
    const listed = await load(blocklist(["Grüne Wiese", "wolf"]));
    const own = await load(async (prompt) => prompt !== "no" || "not today");
    const run = async (imagen: ImagenClass, prompt: string) => {
      const { error } = await window.run(imagen, { prompt, stopAt: 16 });
      return error ? `${error.kind}: ${error.message}` : "drawn";
    };
    return [
      await run(listed, "eine GRUNE   wiese!"),
      await run(listed, "ＷＯＬＦ"),
      await run(listed, "a wolfhound on grün"),
      await run(own, "no"),
      await run(own, "yes"),
    ];
  });
  expect(errors).toEqual([
    "refused: this page does not draw “grune wiese”; try another prompt",
    "refused: this page does not draw “wolf”; try another prompt",
    "drawn",
    "refused: not today",
    "drawn",
  ]);
});

test("settings are read from any PNG, and from nothing else", async ({ page }) => {
  const read = await page.evaluate(async () => {
    const { Imagen } = await window.library();
    const canvas = new OffscreenCanvas(4, 4);
    canvas.getContext("2d")?.fillRect(0, 0, 4, 4);
    const plain = await canvas.convertToBlob();
    const settings = await Imagen.readSettings(plain);
    const text = await Imagen.readSettings(new Blob(["no picture"])).catch((error) => `${error.name} ${error.kind}`);
    return { settings, text };
  });
  expect(read).toEqual({ settings: undefined, text: "ImagenError request" });
});

test("every picture says by XMP that a model made it", async ({ page }) => {
  const { png } = await generate(page, { prompt: "a red house", stopAt: 16 });
  const packets = chunks(Buffer.from(png))
    .filter(({ type }) => type === "iTXt")
    .map(({ data }) => data.toString("utf8"))
    // Keyword, no compression, no language, no translated keyword: five NULs before the text.
    .filter((text) => text.startsWith("XML:com.adobe.xmp\0\0\0\0\0"))
    .map((text) => text.slice("XML:com.adobe.xmp".length + 5));
  expect(packets).toHaveLength(1);
  const source = await page.evaluate((packet) => {
    const xml = new DOMParser().parseFromString(packet, "application/xml");
    const wrong = xml.querySelector("parsererror")?.textContent;
    const [tag] = xml.getElementsByTagNameNS("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "DigitalSourceType");
    return wrong ?? tag?.textContent;
  }, packets[0] ?? "");
  expect(source).toBe("http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia");
});

/** How alike two pictures are, in dB. */
function psnr(a: number[] = [], b: number[] = []): number {
  expect(a.length).toBe(b.length);
  const squares = a.reduce((sum, value, index) => sum + (value - (b[index] ?? 0)) ** 2, 0);
  return 10 * Math.log10((255 ** 2 * a.length) / squares);
}

/** The chunks of a PNG, by the format's own rules. */
function chunks(png: Buffer): { type: string; data: Buffer }[] {
  const found: { type: string; data: Buffer }[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const length = png.readUInt32BE(at);
    found.push({ type: png.toString("latin1", at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) });
  }
  return found;
}
