/** A folder that the user picks or drops, as its files by plain name. Nothing is read here. */

import { MANIFEST } from "../../lib/models/http.ts";

export interface PickedFolder {
  name: string;
  files: Map<string, File>;
  /** Where the browser lends one. */
  handle?: FileSystemDirectoryHandle;
}

/** Whether the browser lets a page ask for a folder without looking as if it was uploaded. */
export const canPickFolder = "showDirectoryPicker" in window;

/** Asks for a folder; nothing where the user changes their mind. */
export async function pickFolder(): Promise<PickedFolder | undefined> {
  const { showDirectoryPicker } = window as unknown as {
    showDirectoryPicker(options: { id: string }): Promise<FileSystemDirectoryHandle>;
  };
  let folder: FileSystemDirectoryHandle;
  try {
    folder = await showDirectoryPicker.call(window, { id: "model" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return undefined;
    throw error;
  }
  return readFolder(folder);
}

export async function readFolder(handle: FileSystemDirectoryHandle): Promise<PickedFolder> {
  const files = new Map<string, File>();
  for await (const entry of handle.values()) {
    if (entry.kind === "file") files.set(entry.name, await (entry as FileSystemFileHandle).getFile());
  }
  return { name: handle.name, files, handle };
}

/** What an `<input webkitdirectory>` holds: the folder of the manifest, wherever it lies below the chosen one. */
export function folderFromInput(list: FileList): PickedFolder {
  const all = Array.from(list, (file) => ({ file, path: file.webkitRelativePath.split("/") }));
  const manifests = all.filter(({ file }) => file.name === MANIFEST);
  const nearest = manifests.sort((a, b) => a.path.length - b.path.length)[0];
  const parent = nearest?.path.slice(0, -1).join("/");
  const inside = nearest ? all.filter(({ path }) => path.slice(0, -1).join("/") === parent) : all;
  const name = (nearest ?? all[0])?.path.at(nearest ? -2 : 0) ?? "the folder";
  return { name, files: new Map(inside.map(({ file }) => [file.name, file])) };
}

/** What was dropped: a folder, or a model's files themselves. */
export async function folderFromDrop(data: DataTransfer): Promise<PickedFolder> {
  // The entries are there only while the event is handled.
  const entries = Array.from(data.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const handle = await handleOf(data);
  if (handle) return readFolder(handle);
  const folder = entries.find((entry) => entry.isDirectory) as FileSystemDirectoryEntry | undefined;
  const found = (folder ? await children(folder) : entries).filter((entry) => entry.isFile) as FileSystemFileEntry[];
  const files = await Promise.all(found.map((entry) => new Promise<File>((ok, fail) => entry.file(ok, fail))));
  return { name: folder?.name ?? "what was dropped", files: new Map(files.map((file) => [file.name, file])) };
}

/** The folder that was dropped, where the browser lends handles. */
async function handleOf({ items }: DataTransfer): Promise<FileSystemDirectoryHandle | undefined> {
  const lending = Array.from(items) as unknown as { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> }[];
  const handles = await Promise.all(lending.map((item) => item.getAsFileSystemHandle?.().catch(() => null)));
  return handles.find((handle) => handle?.kind === "directory") as FileSystemDirectoryHandle | undefined;
}

/** A browser lists a folder in parts, until one is empty. */
async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((ok, fail) => reader.readEntries(ok, fail));
    if (part.length === 0) return all;
    all.push(...part);
  }
}
