/**
 * Every posterior sampler that fits on six tasks, on the bundled held-out images: `node bench/run.mjs restoring`. PSNR and SSIM of single
 * samples, coverage of the truth, the factor of the std map, evaluations and processor time of a sample. No class is given, the noise
 * is 0.05, settings are those of `restore` but for the numbers of levels below.
 *
 * --images N: the first N (default 2); --runs N: samples of each (default 2); --levels X: times as many levels (default 1);
 * --samplers, --tasks: lists.
 */
import { fileURLToPath } from "node:url";
import { normals } from "../kernels/lib/philox.js";
import { openCheckpoint } from "../src/checkpoint/index.js";
import { calibrationFactor, coverage, ranks } from "../src/evaluate/calibration.js";
import { openGpu } from "../src/gpu/device.js";
import { psnr, ssim } from "../src/image/metrics.js";
import { fromByte } from "../src/image/pixels.js";
import { loadModel } from "../src/networks/edm2/model.js";
import { makeTask, type RestoreTask, type TaskName } from "../src/operators/tasks.js";
import { type PosteriorSamplerName, posteriorSamplers } from "../src/sample/posterior/samplers.js";
import type { Settings } from "../src/sample/samplers.js";
import { solveInverse } from "../src/sample/solve-inverse.js";
import { samplerSettings } from "../src/sample/task-settings.js";

const SIGMA_Y = 0.05;
const TASKS =
  "box_inpainting,random_inpainting,gaussian_deblur_circ,motion_deblur_circ,super_resolution,phase_retrieval";

const options = new Map<string, string>();
for (let i = 2; i + 1 < process.argv.length; i += 2) options.set(process.argv[i]!, process.argv[i + 1]!);
const number = (name: string, otherwise: number) => Number(options.get(name) ?? otherwise);
const [images, runs, more] = [number("--images", 2), number("--runs", 2), number("--levels", 1)];
const list = (name: string, otherwise: string) => (options.get(name) ?? otherwise).split(",");
const levels = (n: number) => Math.round(n * more);

/** Levels that a software adapter makes in minutes; PnP-GD has those of its paper. */
const FEW: Partial<Record<PosteriorSamplerName, Settings>> = {
  diffpir: { steps: levels(20) },
  type2: { steps: levels(12) },
  daps: { steps: levels(25), ode: { steps: 2 } },
  "pnp-dm": { steps: levels(16), anneal: { decay: 0.8 }, diffusion: { steps: levels(12) } },
  // Fewer levels take a larger strength: its effect adds up over them.
  dps: { steps: levels(50), strength: 1 },
  pigdm: { steps: levels(20) },
  mmps: { steps: levels(10) },
  tmpd: { steps: levels(10) },
};

const weights = (name: string) => fileURLToPath(new URL(`../../weights/${name}`, import.meta.url));
const gpu = await openGpu();
const models = {
  ncvsd: await loadModel(gpu, weights("ncvsd-fashion32.safetensors")),
  edm2: await loadModel(gpu, weights("edm2-fashion32.safetensors")),
};
const { shape } = models.ncvsd;
const size = shape[0] * shape[1] * shape[2];
const file = await openCheckpoint(weights("fashion32-test64.safetensors"));
const truths = Float32Array.from((await file.readBytes("images")).subarray(0, images * size), fromByte);
await file.close();

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

async function row(task: RestoreTask, name: PosteriorSamplerName): Promise<string> {
  const model = (posteriorSamplers[name].architectures as readonly string[]).includes("edm2")
    ? models.edm2
    : models.ncvsd;
  const given = FEW[name] ?? {};
  const { settings, evaluations, derivatives } = samplerSettings(task, model, name, { given, sigmaY: SIGMA_Y });
  const clean = await task.operator.forward(truths);
  const one = clean.length / images;
  const noise = Array.from({ length: images }, (_, i) => normals(i, 0, one));
  const measurement = clean.map((v, i) =>
    task.mask && task.mask[i % one] === 0 ? 0 : v + SIGMA_Y * noise[Math.floor(i / one)]![i % one]!,
  );
  const before = process.cpuUsage();
  const seeds = Array.from({ length: images * runs }, (_, i) => 1000 + i);
  const { images: samples } = await solveInverse(model, {
    ...{ operator: task.operator, measurement, sampler: name, sigmaY: SIGMA_Y, runs, seeds },
    ...settings,
  });
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6 / (images * runs);
  const repeated = new Float32Array(samples.length);
  for (let i = 0; i < images * runs; i++) {
    const at = Math.floor(i / runs) * size;
    repeated.set(truths.subarray(at, at + size), i * size);
  }
  const batch = [images * runs, ...shape] as const;
  const set = { samples, truths, count: runs, coordinates: size };
  const { observed, expected } = coverage({ ranks: ranks(set), count: runs, level: 0.5, kind: "central" });
  const cost = derivatives > 0 ? `${evaluations} + ${derivatives}` : `${evaluations}`;
  const figures = [
    mean(psnr(samples, repeated, batch)).toFixed(1),
    mean(ssim(samples, repeated, batch)).toFixed(2),
    `${observed.toFixed(2)} of ${expected.toFixed(2)}`,
    calibrationFactor(set).toFixed(2),
  ];
  return `| ${task.name} | ${name} | ${[...figures, cost, seconds.toFixed(2)].join(" | ")} |`;
}

console.log(`${gpu.info.name}; ${images} images, ${runs} samples of each\n`);
console.log("| task | sampler | PSNR | SSIM | coverage | factor | evaluations (+ derivatives) | processor s |");
console.log("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
for (const name of list("--tasks", TASKS)) {
  const task = await makeTask(gpu, name as TaskName, shape, {});
  for (const sampler of list("--samplers", Object.keys(posteriorSamplers).join())) {
    if (posteriorSamplers[sampler as PosteriorSamplerName].lacks(task.operator)) continue;
    console.log(await row(task, sampler as PosteriorSamplerName));
  }
}
gpu.close();
