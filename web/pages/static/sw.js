// The passbook's service worker: it opens pages under /me off line, for the session that has seen them, and for no other.
//
// Network first, always. A page is kept only where the node says whose session it was made for and until when
// (`Huzhu-Session`, `Huzhu-Until`). A page of another session throws away all that was kept, and so does the way to
// the sign-in page; the sign-out form does it too (`leave.js`). Assets have their hash in their address and are nobody's.

const PAGES = "huzhu-pages";
const SHELL = "huzhu-shell";
const SESSION = "Huzhu-Session";
const UNTIL = "Huzhu-Until";
const OFFLINE = "/me/offline";
const SHELL_MAX = 60;
const EXACTLY = { ignoreVary: true };
/** By its address alone: what else an answer depends on is the session, and that is looked at. */

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("message", (event) => {
  const asked = event.data?.keep;
  if (asked) event.waitUntil(keepAll(asked));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin || request.method !== "GET") return;
  if (url.pathname.startsWith("/assets/")) event.respondWith(asset(request));
  else if (request.mode === "navigate" && isMine(url.pathname)) event.respondWith(page(request));
});

const isMine = (path) => path === "/me" || path.startsWith("/me/");

/** From what is kept, else from the node: an address with a hash never changes what it means. */
async function asset(request) {
  const kept = await caches.match(request, { cacheName: SHELL, ...EXACTLY });
  if (kept) return kept;
  const fresh = await fetch(request);
  if (fresh.ok) await (await caches.open(SHELL)).put(request, fresh.clone());
  return fresh;
}

/** From the node, or else as this session saw it last. */
async function page(request) {
  let fresh;
  try {
    fresh = await fetch(request);
  } catch {
    return (await kept(request.url)) ?? (await kept(OFFLINE, true)) ?? Response.error();
  }
  if (fresh.type === "opaqueredirect" || fresh.status === 401 || fresh.status === 403) await caches.delete(PAGES);
  else await keep(request.url, fresh.clone());
  return fresh;
}

/** Keep an answer that says whose it is; all else of another session goes first. */
async function keep(address, answer) {
  const session = answer.headers.get(SESSION);
  if (!answer.ok || !session) return;
  const cache = await caches.open(PAGES);
  for (const request of await cache.keys()) {
    const other = (await cache.match(request, EXACTLY))?.headers.get(SESSION);
    if (other && other !== session) {
      await caches.delete(PAGES);
      return keep(address, answer);
    }
  }
  await cache.put(address, answer);
}

/** What was kept, unless its session has ended since: then nothing of it is left. */
async function kept(address, isNobodys = false) {
  const found = await caches.match(address, { cacheName: PAGES, ...EXACTLY });
  if (!found || isNobodys) return found;
  if (Number(found.headers.get(UNTIL)) * 1000 > Date.now()) return found;
  await caches.delete(PAGES);
  return undefined;
}

/** The first page of a visit was loaded before this worker was there: fetch what it needs, and itself, again. */
async function keepAll({ page: address, assets }) {
  const shell = await caches.open(SHELL);
  const wanted = assets.filter((path) => path.startsWith("/assets/")).slice(0, SHELL_MAX);
  for (const request of (await shell.keys()).slice(0, -SHELL_MAX)) await shell.delete(request);
  await Promise.allSettled(wanted.map(async (path) => (await shell.match(path, EXACTLY)) ?? shell.add(path)));
  if (!isMine(new URL(address, location.origin).pathname)) return;
  try {
    const fresh = await fetch(address, { redirect: "manual", credentials: "same-origin" });
    await keep(new URL(address, location.origin).href, fresh);
    const cache = await caches.open(PAGES);
    if (fresh.headers.get(SESSION) && !(await cache.match(OFFLINE, EXACTLY))) await cache.add(OFFLINE);
  } catch {
    // The network went meanwhile: the next page does it.
  }
}
