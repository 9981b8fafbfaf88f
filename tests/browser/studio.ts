/**
 * The page as its tests use it. What assistive technology finds is tested apart: looking for a role takes the page itself tens
 * of milliseconds, which would count as the page's own.
 */

import { readFile } from "node:fs/promises";
import { expect, type Locator, type Page } from "@playwright/test";

/** What the form may be set to; what is left out keeps the model's own value. */
export interface Wanted {
  prompt?: string;
  seed?: number;
  count?: number;
  steps?: Record<number, number>;
  stopAfter?: number;
}

export class Studio {
  readonly page: Page;
  readonly root: Locator;
  readonly prompt: Locator;
  readonly picture: Locator;
  readonly generate: Locator;
  readonly cancel: Locator;
  readonly alert: Locator;
  readonly status: Locator;
  readonly gallery: Locator;
  /** The small pictures of the gallery. */
  readonly kept: Locator;
  /** What an action has to tell, apart from the run. */
  readonly told: Locator;

  constructor(page: Page) {
    this.page = page;
    this.root = page.locator("#app");
    this.prompt = page.locator("#prompt");
    this.picture = page.locator("#picture").getByRole("img");
    this.generate = page.locator("#generate");
    this.cancel = page.locator("#cancel");
    this.alert = page.locator("#error");
    this.status = page.locator("#status");
    this.gallery = page.locator("#gallery");
    this.kept = page.locator("#gallery").getByRole("listitem").getByRole("button");
    this.told = page.locator("#told");
  }

  async open(device: "auto" | "gpu" | "gpu-half" | "cpu"): Promise<void> {
    await this.page.goto(device === "auto" ? "" : `?device=${device}`);
    await this.expectState("idle");
  }

  button(name: string): Locator {
    return this.page.getByRole("button", { name, exact: true });
  }

  async set({ prompt, seed, count, steps, stopAfter }: Wanted): Promise<void> {
    if (prompt !== undefined) await this.prompt.fill(prompt);
    if (seed !== undefined) await this.page.locator("#seed").fill(String(seed));
    if (count !== undefined) {
      await this.page.locator("#count").selectOption({ label: String(count) });
    }
    const drawer = this.page.locator("#settings");
    if ((await drawer.getAttribute("open")) === null) await drawer.locator("summary").click();
    for (const [size, value] of Object.entries(steps ?? {})) {
      await this.page.locator(`fieldset[data-size="${size}"] input`).first().fill(String(value));
    }
    if (stopAfter) {
      await this.page.locator("#stop").selectOption({ label: `${stopAfter} × ${stopAfter}` });
    }
  }

  /** Makes what was asked for, and waits for it. */
  async draw(wanted: Wanted = {}, timeout = 60_000): Promise<void> {
    await this.set(wanted);
    await this.generate.click();
    await this.expectState("done", timeout);
  }

  async expectState(state: string, timeout = 30_000): Promise<void> {
    await expect(this.root).toHaveAttribute("data-state", state, { timeout });
  }

  async expectStage(size: number, timeout = 120_000): Promise<void> {
    await expect(this.root).toHaveAttribute("data-stage", String(size), { timeout });
  }

  /** What the canvas shows: its width, and its pixels as RGBA. */
  async pixels(picture = this.picture): Promise<{ size: number; rgba: Buffer }> {
    const { size, rgba } = await picture.evaluate((element) => {
      const canvas = element as HTMLCanvasElement;
      const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return { size: canvas.width, rgba: btoa(Array.from(pixels, (byte) => String.fromCharCode(byte)).join("")) };
    });
    return { size, rgba: Buffer.from(rgba, "base64") };
  }

  /** The picture's width, and the standard deviation of its green values: 0 for one plain colour. */
  async seen(): Promise<{ size: number; spread: number }> {
    const { size, rgba } = await this.pixels();
    const green = rgba.filter((_, i) => i % 4 === 1);
    const mean = green.reduce((sum, value) => sum + value, 0) / green.length;
    const variance = green.reduce((sum, value) => sum + (value - mean) ** 2, 0) / green.length;
    return { size, spread: Math.sqrt(variance) };
  }

  /** The bytes behind the download link. */
  async png(): Promise<Buffer> {
    const download = this.page.waitForEvent("download");
    await this.page.getByRole("link", { name: "Download PNG" }).click();
    return readFile(await (await download).path());
  }
}
