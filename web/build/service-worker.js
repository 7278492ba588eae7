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
  const old = (key) => key.startsWith(prefix) && key !== name;
  event.waitUntil(
    caches
      .keys()
      .then((keys) => Promise.all(keys.filter(old).map((key) => caches.delete(key))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  // The state stands in the address: every address is the same page.
  const wanted = request.mode === "navigate" ? new Request("./") : request;
  event.respondWith(
    caches.match(wanted, { ignoreSearch: true, ignoreVary: true }).then((kept) => kept ?? fetch(request)),
  );
});
