/** The small EDM2 U-Net with random weights of a fixed seed, as a checkpoint that ncvsd-gpu reads. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../../../dist/src/checkpoint/index.js";
import { writeSafetensors } from "../../../dist/src/checkpoint/write.js";
import { normalSource } from "../../../dist/src/graph/run-kernel.js";
import { parseConfig } from "../../../dist/src/networks/edm2/config.js";
import { expectedTensors } from "../../../dist/src/networks/edm2/names.js";

const own = {
  img_resolution: 32,
  img_channels: 3,
  label_dim: 0,
  model_channels: 64,
  channel_mult: [1, 2, 3, 4],
  num_blocks: 2,
  attn_resolutions: [16, 8],
};
/** The same in small, for what takes long. */
const small = { ...own, model_channels: 32, channel_mult: [1, 2], num_blocks: 1, attn_resolutions: [] };
const metadata = { format: "pt", architecture: "edm2", config: JSON.stringify(own) };

/** With the defaults of every argument that is not set above. */
const complete = (config) =>
  parseConfig({
    name: "the U-Net",
    metadata: { architecture: "edm2", config: JSON.stringify(config) },
    tensors: new Map(),
  }).config;
export const unetConfig = complete(own);
export const smallConfig = complete(small);

/** Gains as after training: the blocks get a scale of about 1, the output a magnitude of about 1. */
function scaleOf(name) {
  if (name.endsWith("emb_gain")) return 0.5;
  return name.endsWith(".freqs") ? 2 * Math.PI : 1;
}

/** All tensors of a network. */
export function randomTensors(config) {
  const random = normalSource(32);
  return [...expectedTensors("edm2", config)].map(([name, shape]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, () => scaleOf(name) * random());
    if (name.endsWith("out_gain")) data[0] = 1;
    return { name, dtype: "F32", shape, data };
  });
}

/** Writes the file where it is not there yet; its name changes with what makes it. @returns {string} its path */
export function writeCheckpoint() {
  const maker = [metadata.config, scaleOf, randomTensors, normalSource].map(String).join("\n");
  const key = createHash("sha256").update(maker).digest("hex").slice(0, 12);
  const path = join(dirname(fileURLToPath(import.meta.url)), "..", ".cache", `unet-${key}.safetensors`);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, writeSafetensors(randomTensors(unetConfig), metadata));
  renameSync(partial, path);
  return path;
}

/** Every tensor of a checkpoint. @returns {Promise<(name: string) => Float32Array>} */
export async function readCheckpoint(path) {
  const checkpoint = await openCheckpoint(path);
  try {
    const values = new Map();
    for (const name of checkpoint.tensors.keys()) values.set(name, await checkpoint.readF32(name));
    return (name) => values.get(name);
  } finally {
    await checkpoint.close();
  }
}
