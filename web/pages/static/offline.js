// Registers the service worker and tells it what this page needs to open off line; forgets all that at sign-out.

const PAGES = "huzhu-pages";
/** What the service worker keeps of persons; `sw.js` names it the same. */

export async function register() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("/me/sw.js", { scope: "/me" });
    const { active } = await navigator.serviceWorker.ready;
    if (!navigator.onLine) return;
    const loaded = performance.getEntriesByType("resource").map((each) => new URL(each.name).pathname);
    const assets = [...new Set(loaded)].filter((path) => path.startsWith("/assets/"));
    active.postMessage({ keep: { page: location.pathname + location.search, assets } });
  } catch {
    // A browser that allows none (a private window) just needs the network.
  }
}

/** Forget every page of this session. */
export async function forget() {
  if ("caches" in globalThis) await caches.delete(PAGES);
}
