// What the page knows of the library and its bundled network before anything is loaded, found out when the page is built: the
// tasks' settings, class names, the checkpoint's hash, the held-out pictures.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const built = (name) => import(new URL(`dist/src/${name}`, root));

/** Tasks of the page, by the command line's names. */
const TASKS = [
  "box_inpainting",
  "random_inpainting",
  "gaussian_deblur_circ",
  "motion_deblur_circ",
  "super_resolution",
  "phase_retrieval",
];

const NETWORK = "ncvsd-fashion32.safetensors";

async function gathered() {
  const [{ tasks }, { openCheckpoint }, { version }] = await Promise.all([
    built("operators/tasks.js"),
    built("checkpoint/index.js"),
    built("runs/package.js"),
  ]);
  const weights = readFileSync(new URL(`weights/${NETWORK}`, root));
  const network = await openCheckpoint(weights);
  const held = await openCheckpoint(readFileSync(new URL("weights/fashion32-test64.safetensors", root)));
  const settings = (name) => tasks[name].settings?.paper ?? tasks[name].preset;
  return {
    pictures: await held.readBytes("images"),
    facts: {
      version,
      checkpoint: {
        name: NETWORK,
        sha256: createHash("sha256").update(weights).digest("hex"),
        bytes: weights.length,
      },
      classes: JSON.parse(network.metadata.labels),
      heldOut: Array.from(await held.readBytes("labels")),
      tasks: Object.fromEntries(TASKS.map((name) => [name, settings(name)])),
    },
  };
}

/** JSON has no infinity. */
const literal = (value) =>
  JSON.stringify(value, (_, v) => (v === Number.POSITIVE_INFINITY ? "Infinity" : v)).replaceAll(
    '"Infinity"',
    "Infinity",
  );

/** The held-out pictures as one PNG, eight in a row. */
async function sheet(pictures) {
  const { encodePng } = await built("index.js");
  return encodePng(
    Float32Array.from(pictures, (v) => v / 127.5 - 1),
    [pictures.length / 1024, 1, 32, 32],
  );
}

/** The perceptual map of the spread, as 256 colours: the library of maps stays at home. */
async function magma() {
  const { interpolateMagma } = await import("d3-scale-chromatic");
  const { rgb } = await import("d3-color");
  const colours = Array.from({ length: 256 }, (_, i) => rgb(interpolateMagma(i / 255)));
  return colours.map(({ r, g, b }) => [r, g, b]);
}

/** Kernels that a network may be made of, by name: not their derivatives. */
const folder = new URL("kernels/network/", root);
const names = () => readdirSync(folder).filter((name) => !/backward|disc-pool|diffuse/.test(name));

/** WGSL and reference of them as they stand in the repository. */
function sources() {
  const read = (name, file) => readFileSync(new URL(`${name}/${file}`, folder), "utf8");
  const both = (name) => ({ wgsl: read(name, "kernel.wgsl"), reference: read(name, "reference.ts") });
  return Object.fromEntries(names().map((name) => [name, both(name)]));
}

/** A module of them whole, with their references and cases. */
async function kernels() {
  const { kernels: all } = await import(new URL("dist/kernels/index.js", root));
  const known = new Set(all.map(({ name }) => name));
  const lines = names()
    .filter((name) => known.has(name))
    .map(
      (name, i) =>
        `import * as k${i} from ${JSON.stringify(new URL(`dist/kernels/network/${name}/whole.js`, root).pathname)};`,
    );
  const list = lines.map((_, i) => `...Object.values(k${i})`).join(", ");
  return `${lines.join("\n")}\nexport default [${list}].filter((one) => one.reference);`;
}

const MODULES = ["virtual:facts", "virtual:held-out", "virtual:magma", "virtual:sources", "virtual:kernels"];

export function facts() {
  let found;
  return {
    name: "facts",
    resolveId: (id) => (MODULES.includes(id) ? `\0${id}` : null),
    async load(id) {
      if (!MODULES.includes(id.slice(1))) return null;
      if (id === "\0virtual:magma") return `export default ${JSON.stringify(await magma())};`;
      if (id === "\0virtual:sources") {
        const source = JSON.stringify(sources());
        const asset = this.meta.watchMode ? "" : this.emitFile({ type: "asset", name: "kernels.json", source });
        return `export default import.meta.ROLLUP_FILE_URL_${asset};`;
      }
      if (id === "\0virtual:kernels") return kernels();
      found ??= await gathered();
      if (id === "\0virtual:facts") return `export default ${literal(found.facts)};`;
      const bytes = await sheet(found.pictures);
      if (this.meta.watchMode)
        return `export default "data:image/png;base64,${Buffer.from(bytes).toString("base64")}";`;
      const asset = this.emitFile({ type: "asset", name: "held-out.png", source: bytes });
      return `export default import.meta.ROLLUP_FILE_URL_${asset};`;
    },
  };
}
