/** The page's section about models as a user finds it, and what lies in the browser's storage behind it. */

import { expect, type Locator, type Page } from "@playwright/test";
import { type Entry, type FakeModel, PIECE, sha256 } from "./fake-model.ts";

export class ModelsPage {
  readonly page: Page;
  readonly section: Locator;

  constructor(page: Page) {
    this.page = page;
    this.section = page.getByRole("region", { name: "Models" });
  }

  async open(query = "?device=cpu"): Promise<void> {
    await this.page.goto(query);
    if (query.includes("model=")) await this.agree();
    await expect(this.page.locator("#app")).toHaveAttribute("data-state", "idle", { timeout: 30_000 });
  }

  /** Agrees to the model of a link, where the page asks. */
  async agree(): Promise<void> {
    const yes = this.page.getByRole("button", { name: "Download and open it" });
    await yes.or(this.page.locator("#app[data-state=idle], #app[data-state=error]")).first().waitFor();
    if (!(await yes.isVisible())) return;
    await yes.click();
    await expect(yes).toBeHidden();
  }

  async add(address: string): Promise<void> {
    await this.section.getByRole("textbox", { name: "Add a model by its address" }).fill(address);
    await this.section.getByRole("button", { name: "Add", exact: true }).click();
  }

  row(name: string): Locator {
    return this.section.getByRole("listitem").filter({ has: this.page.getByText(name, { exact: true }) });
  }

  async expectState(name: string, state: string, timeout = 60_000): Promise<void> {
    await expect(this.row(name)).toHaveAttribute("data-model", state, { timeout });
  }

  async click(action: "Open" | "Update" | "Resume" | "Pause" | "Delete", name: string): Promise<void> {
    await this.section.getByRole("button", { name: `${action} ${name}`, exact: true }).click();
  }

  /** Which pieces are noted as there, per file. */
  async noted(entries: Entry[]): Promise<Map<string, number[]>> {
    const keys = entries.map(key);
    const slots = await this.page.evaluate(async (keys) => {
      const root = await navigator.storage.getDirectory();
      const files = await (await root.getDirectoryHandle("models")).getDirectoryHandle("files");
      const read = async (name: string) => {
        try {
          const file = await (await files.getFileHandle(name)).getFile();
          return [...new Uint8Array(await file.arrayBuffer())];
        } catch {
          return [];
        }
      };
      return Promise.all(keys.map((key) => read(`${key}.pieces`)));
    }, keys);
    return new Map(
      entries.map(({ file, size }, i) => {
        const there = (index: number) => slots[i]?.slice(index * 32, index * 32 + 32).some((byte) => byte !== 0);
        return [file, Array.from({ length: Math.ceil(size / PIECE) }, (_, index) => index).filter(there)];
      }),
    );
  }

  /** All files are stored and have the hashes of the manifest. */
  async expectVerified({ entries }: FakeModel): Promise<void> {
    expect(await this.hashes(entries)).toEqual(entries.map((entry) => entry.sha256));
  }

  /** The SHA-256 of each stored file, or nothing where there is none. */
  async hashes(entries: Entry[]): Promise<(string | undefined)[]> {
    return this.page.evaluate(async (keys) => {
      const root = await navigator.storage.getDirectory();
      const files = await (await root.getDirectoryHandle("models")).getDirectoryHandle("files");
      const hashes: (string | undefined)[] = [];
      for (const key of keys) {
        try {
          const bytes = await (await (await files.getFileHandle(key)).getFile()).arrayBuffer();
          const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
          hashes.push(Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(""));
        } catch {
          hashes.push(undefined);
        }
      }
      return hashes;
    }, entries.map(key));
  }
}

/** The name under which the store keeps a file. */
function key({ size, sha256: hash, pieces }: Entry): string {
  return sha256(JSON.stringify([size, hash, pieces ?? (size <= PIECE ? [hash] : [])]));
}
