/** A page of somebody else's, with a strict Content-Security-Policy, that has the built package and the tiny cascade beside it. */

import { join } from "node:path";
import { expect, type Page } from "@playwright/test";
import { PACKAGES, ROOT, TINY } from "./npm-packages.ts";
import { SiteServer } from "./site-server.ts";

export class Embedding {
  readonly page: Page;
  readonly server: SiteServer;
  readonly #violations: string[] = [];

  private constructor(page: Page, server: SiteServer) {
    this.page = page;
    this.server = server;
    page.on("console", (message) => {
      if (/Content.Security.Policy/i.test(message.text())) this.#violations.push(message.text());
    });
  }

  static async open(page: Page): Promise<Embedding> {
    const server = await SiteServer.start({
      "/": join(ROOT, "tests/browser/embed/"),
      "/imagen-web/": join(PACKAGES, "imagen-web/dist/"),
      "/model/": TINY,
      "/models/storybook/": TINY,
    });
    await page.goto(server.url);
    return new Embedding(page, server);
  }

  /** Paths of the WASM and the model that were asked for. */
  get heavy(): string[] {
    return this.server.asked.filter((path) => /\.(wasm|gguf)$|imagen\.json$/.test(path));
  }

  /** Resolves when so many workers run: one keeps the models, each other one is an engine. */
  async expectWorkers(count: number): Promise<void> {
    await expect.poll(() => this.page.workers().length).toBe(count);
  }

  async close(): Promise<void> {
    expect(this.#violations).toEqual([]);
    await this.server.stop();
  }
}
