/** The page without a network, and its updates: registers the service worker and tells what becomes of it. */

export interface OfflineEvents {
  /** From now on the page opens without a network. */
  ready?(): void;
  /** A newer version is there; `apply` loads the page anew with it. */
  update?(apply: () => void): void;
}

/**
 * Starts when the page has loaded, so that nothing the visitor waits for is slower. Does nothing on a development server,
 * over plain http and where the browser has no service workers.
 */
export function startOffline(events: OfflineEvents): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  const start = () => register(events).catch(() => {});
  if (document.readyState === "complete") void start();
  else window.addEventListener("load", start, { once: true });
}

async function register({ ready, update }: OfflineEvents): Promise<void> {
  const { serviceWorker } = navigator;
  // Without `updateViaCache` a host's caching could hold an old version for a day.
  const registration = await serviceWorker.register(new URL("service-worker.js", document.baseURI), {
    updateViaCache: "none",
  });
  void serviceWorker.ready.then(() => ready?.());

  const offer = (waiting: ServiceWorker) =>
    update?.(() => {
      serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
      waiting.postMessage("take over");
    });
  const watch = (installing: ServiceWorker) => {
    installing.addEventListener("statechange", () => {
      // The first version of all replaces nothing.
      if (installing.state === "installed" && serviceWorker.controller) offer(installing);
    });
  };
  if (registration.waiting && serviceWorker.controller) offer(registration.waiting);
  if (registration.installing) watch(registration.installing);
  registration.addEventListener("updatefound", () => registration.installing && watch(registration.installing));
  // A page that stays open for days looks when it is looked at.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") void registration.update().catch(() => {});
  });
}
