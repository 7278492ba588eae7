// The service worker, with the list of the build's files: all but the networks, which the page keeps itself once they are fetched.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const NETWORKS = /\.safetensors$/;
const source = new URL("./service-worker.js", import.meta.url);

export function offline() {
  return {
    name: "offline",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const files = Object.keys(bundle).filter((name) => !NETWORKS.test(name) && name !== "index.html");
        const hash = createHash("sha256");
        for (const name of [...files, "index.html"].sort())
          hash.update(name).update(bundle[name]?.code ?? bundle[name]?.source ?? "");
        const list = { version: hash.digest("hex").slice(0, 12), files: ["./", ...files] };
        const text = readFileSync(source, "utf8").replace("self.BUILT", JSON.stringify(list));
        this.emitFile({ type: "asset", fileName: "sw.js", source: text });
      },
    },
  };
}
