/** What the browser keeps for the page, pictures and folders, with the library that reads it: one script, fetched after the first paint. */

export { Database } from "./gallery/database.ts";
export { Folders } from "./models/folders.ts";
