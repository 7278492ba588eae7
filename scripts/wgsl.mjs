// How `import text from "./kernel.wgsl.js"` finds the WGSL: the build writes such modules, vite (tests, benchmarks) makes them
// on the fly from the .wgsl file itself.
import { readFileSync } from "node:fs";
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
  resolveId: (id, importer) =>
    id.endsWith(".wgsl.js") && importer ? `${resolve(dirname(importer), id.slice(0, -3))}?wgsl` : null,
  load: (id) => (id.endsWith(".wgsl?wgsl") ? wgslModule(id.slice(0, -5)) : null),
};
