/**
 * Folders that were opened before. A browser that lends a page handles of folders lets it keep them, and asks the user
 * again on the next visit.
 */

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { type PickedFolder, readFolder } from "./local-folder.ts";

export interface KnownFolder {
  id: number;
  name: string;
}

interface Schema extends DBSchema {
  folders: { key: number; value: FileSystemDirectoryHandle };
}

/** So many are kept. */
const MOST = 8;

/** What TypeScript's library does not have yet. */
interface Asking {
  requestPermission(options: { mode: "read" }): Promise<PermissionState>;
}

export class Folders {
  #database: Promise<IDBPDatabase<Schema>> | undefined;

  /** None in a browser that keeps nothing. */
  async list(): Promise<KnownFolder[]> {
    try {
      const { store } = (await this.#open()).transaction("folders");
      const [keys, handles] = await Promise.all([store.getAllKeys(), store.getAll()]);
      return keys.map((id, at) => ({ id, name: handles[at]?.name ?? "" })).reverse();
    } catch {
      return [];
    }
  }

  async remember(handle: FileSystemDirectoryHandle): Promise<KnownFolder[]> {
    try {
      const database = await this.#open();
      const { store } = database.transaction("folders");
      const [keys, handles] = await Promise.all([store.getAllKeys(), store.getAll()]);
      const same = await Promise.all(handles.map((known) => known.isSameEntry(handle)));
      const other = keys.filter((_, at) => !same[at]);
      const gone = [...keys.filter((_, at) => same[at]), ...other.slice(0, Math.max(0, other.length - MOST + 1))];
      await Promise.all(gone.map((key) => database.delete("folders", key)));
      await database.add("folders", handle);
    } catch {
      // It is open all the same; on the next visit it is picked anew.
    }
    return this.list();
  }

  async forget({ id }: KnownFolder): Promise<KnownFolder[]> {
    await (await this.#open()).delete("folders", id);
    return this.list();
  }

  /** Asks for the folder again; nothing where the user does not give it. To be called from a click. */
  async open({ id }: KnownFolder): Promise<PickedFolder | undefined> {
    const handle = await (await this.#open()).get("folders", id);
    if (!handle) return undefined;
    const asking = handle as unknown as Partial<Asking>;
    const answer = await asking.requestPermission?.({ mode: "read" });
    return answer === "denied" || answer === "prompt" ? undefined : readFolder(handle);
  }

  #open(): Promise<IDBPDatabase<Schema>> {
    this.#database ??= openDB<Schema>("imagen-folders", 1, {
      upgrade: (database) => void database.createObjectStore("folders", { autoIncrement: true }),
    });
    return this.#database;
  }
}
