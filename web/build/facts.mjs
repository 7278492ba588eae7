// What the page knows of the library and its bundled network before anything is loaded, found out when the page is built: the
// tasks' settings, class names, the checkpoint's hash, the held-out pictures.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

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

export function facts() {
  let found;
  return {
    name: "facts",
    resolveId: (id) => (id === "virtual:facts" || id === "virtual:held-out" ? `\0${id}` : null),
    async load(id) {
      if (id !== "\0virtual:facts" && id !== "\0virtual:held-out") return null;
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
