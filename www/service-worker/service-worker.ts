/**
 * Keeps the page itself, its scripts, its WASM and its documentation, so that they open without a network. Models are none of its business: they
 * lie in the origin-private file system.
 *
 * A new version waits until the page asks for it (`www/src/offline.ts`), because files of two versions must not mix.
 */

import { cleanupOutdatedCaches, type PrecacheEntry, precacheAndRoute } from "workbox-precaching";

declare const self: ServiceWorkerGlobalScope;
/** Put in by the build: every file of the page, with the hash of its content where its name has none. */
declare const PRECACHE: PrecacheEntry[];

// `?model=` and the like are read by the page, which is the same for all of them.
precacheAndRoute(PRECACHE, { ignoreURLParametersMatching: [/./] });
cleanupOutdatedCaches();

self.addEventListener("message", ({ data }) => {
  if (data === "take over") void self.skipWaiting();
});
