// Keeps the page's files, so that the second visit needs no network. The build puts its list of files in.
const { version, files } = self.BUILT;
const prefix = `ncvsd-desk ${self.registration.scope} `;
const name = prefix + version;

self.addEventListener("install", (event) => {
  const fresh = (file) => new Request(file, { cache: file === "./" ? "reload" : "default" });
  event.waitUntil(
    caches
      .open(name)
      .then((cache) => cache.addAll(files.map(fresh)))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  // The version before this one stays: a page that is still open may ask for parts of it that no server has any more.
  const old = (keys) => keys.filter((key) => key.startsWith(prefix) && key !== name).slice(0, -1);
  event.waitUntil(
    caches
      .keys()
      .then((keys) => Promise.all(old(keys).map((key) => caches.delete(key))))
      .then(() => self.clients.claim()),
  );
});

/** This version's file, else an earlier one's. */
async function kept(wanted) {
  const how = { ignoreSearch: true, ignoreVary: true };
  return (await (await caches.open(name)).match(wanted, how)) ?? caches.match(wanted, how);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { scope } = self.registration;
  if (request.method !== "GET" || !request.url.startsWith(scope)) return;
  // The state stands in the address: every one of the page's addresses is the same page. Other pages may lie below it.
  const address = request.url.replace(/[?#].*$/, "");
  const own = address === scope || address === `${scope}index.html`;
  if (request.mode === "navigate" && !own) return;
  const wanted = request.mode === "navigate" ? new Request("./") : request;
  event.respondWith(kept(wanted).then((found) => found ?? fetch(request)));
});
