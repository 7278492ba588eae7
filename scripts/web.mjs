// `npm run web`: builds the library and the page in web/, and serves it. `npm run web -- --build` only builds: web/dist is then a
// folder that any web server can offer, under any path.
import { join } from "node:path";
import { fail, prepare, root, say } from "./lib.mjs";

try {
  await prepare();
  const { build, preview } = await import("vite");
  const configFile = join(root, "web/vite.config.mjs");
  await build({ configFile, logLevel: "warn" });
  say("the page is in web/dist");
  if (!process.argv.includes("--build")) {
    const server = await preview({ configFile, preview: { port: 4173 } });
    say(`open ${server.resolvedUrls.local[0]}`);
  }
} catch (error) {
  fail(error);
}
