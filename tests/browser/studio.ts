/** The page as a user and their assistive technology find it: by role and name. */

import { readFile } from "node:fs/promises";
import { expect, type Locator, type Page } from "@playwright/test";

export class Studio {
  readonly page: Page;
  readonly root: Locator;
  readonly prompt: Locator;
  readonly picture: Locator;
  readonly generate: Locator;
  readonly cancel: Locator;
  readonly alert: Locator;

  constructor(page: Page) {
    this.page = page;
    this.root = page.locator("[data-state]");
    this.prompt = page.getByRole("textbox", { name: "Prompt", exact: true });
    this.picture = page.getByRole("img");
    this.generate = page.getByRole("button", { name: "Generate" });
    this.cancel = page.getByRole("button", { name: "Cancel" });
    this.alert = page.getByRole("alert");
  }

  async open(device: "auto" | "gpu" | "gpu-half" | "cpu"): Promise<void> {
    await this.page.goto(device === "auto" ? "" : `?device=${device}`);
    await this.expectState("idle");
  }

  /** Opens the settings and sets them; what is not named keeps the model's own value. */
  async set(wanted: { seed?: number; steps?: Record<number, number>; stopAfter?: number }): Promise<void> {
    if (wanted.seed !== undefined) await this.page.getByRole("spinbutton", { name: "Seed" }).fill(String(wanted.seed));
    await this.page.getByText("Settings", { exact: true }).click();
    for (const [size, steps] of Object.entries(wanted.steps ?? {})) {
      await this.page.getByRole("spinbutton", { name: `Steps for ${size} × ${size}` }).fill(String(steps));
    }
    if (wanted.stopAfter) {
      await this.page
        .getByRole("combobox", { name: "Stop after" })
        .selectOption({ label: `${wanted.stopAfter} × ${wanted.stopAfter}` });
    }
  }

  async expectState(state: string, timeout = 30_000): Promise<void> {
    await expect(this.root).toHaveAttribute("data-state", state, { timeout });
  }

  async expectStage(size: number, timeout = 120_000): Promise<void> {
    await expect(this.root).toHaveAttribute("data-stage", String(size), { timeout });
  }

  /** What the canvas shows: its width, and its pixels as RGBA. */
  async pixels(): Promise<{ size: number; rgba: Buffer }> {
    const { size, rgba } = await this.picture.evaluate((element) => {
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
