// How `import text from "./kernel.wgsl.js"` finds the WGSL: the build writes such modules, vite (tests, benchmarks) makes them
// on the fly from the .wgsl file itself.
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** The text without comments, indentation and spaces at the ends of lines; every line keeps its number. */
export const bare = (text) =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ""))
    .replace(/\/\/.*$/gm, "")
    .replace(/^[ \t]+|[ \t]+$/gm, "");

/** The module beside a .wgsl file. */
export const wgslModule = (path) => `export default ${JSON.stringify(bare(readFileSync(path, "utf8")))};\n`;

/** The same as a plugin of vite. */
export const wgslPlugin = {
  name: "wgsl",
  enforce: "pre",
  // What the build has written is there as it is.
  resolveId(id, importer) {
    if (!id.endsWith(".wgsl.js") || !importer || existsSync(resolve(dirname(importer), id))) return null;
    return `${resolve(dirname(importer), id.slice(0, -3))}?wgsl`;
  },
  load: (id) => (id.endsWith(".wgsl?wgsl") ? wgslModule(id.slice(0, -5)) : null),
};
