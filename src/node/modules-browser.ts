import type { NodeModules } from "./modules.js";

const none = (): Promise<never> => Promise.reject(new Error("a browser has none of Node's modules"));

/** Stands in for modules.ts in browsers, where nobody asks: see `isNode`. */
export const node: NodeModules = {
  ...{ crypto: none, fs: none, files: none, os: none, path: none, url: none, zlib: none },
};
