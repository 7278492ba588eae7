/**
 * What PnP-GD's likelihood steps cost beside its network evaluations: `node bench/run.mjs inverse`. Medians of wall time
 * from submission to the end of the work; at 32x32 beside the bundled network at the same batch, in turns.
 */
import { fileURLToPath } from "node:url";
import { normals } from "../kernels/lib/philox.js";
import { type Gpu, openGpu } from "../src/gpu/device.js";
import { loadModel } from "../src/networks/edm2/model.js";
import type { ImageShape } from "../src/networks/session.js";
import { gaussianKernel } from "../src/operators/blur-kernels.js";
import type { Operator } from "../src/operators/operator.js";
import { operators } from "../src/operators/operators.js";
import { openLikelihood } from "../src/sample/likelihood.js";
import { Run } from "../src/sample/run.js";

const RUNS = 9;
const LEVEL = 1;

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

async function timed(gpu: Gpu, action: () => Promise<void>): Promise<number> {
  await gpu.idle();
  const start = performance.now();
  await action();
  await gpu.idle();
  return performance.now() - start;
}

function tasks(gpu: Gpu, shape: ImageShape): [string, Operator][] {
  const [channels, side] = shape;
  const kernelSize = side < 61 ? 21 : 61;
  const std = side < 61 ? 1.06 : 3;
  const kernel = gaussianKernel(kernelSize, std);
  const rows = 256;
  const matrix = Float32Array.from(normals(1, 0, rows * side * side), (v) => v / Math.sqrt(rows));
  const colours = (): [string, Operator][] => [
    ["colorization", operators.colorization(gpu, { shape })],
    ["demosaicing", operators.demosaicing(gpu, { shape, pattern: "RGGB" })],
  ];
  return [
    ["inpainting", operators.inpainting(gpu, { shape, box: [side / 4, (3 * side) / 4, side / 4, (3 * side) / 4] })],
    ["gaussian blur", operators.gaussianBlur(gpu, { shape, kernelSize, std })],
    ["motion blur", operators.motionBlur(gpu, { shape, kernelSize, intensity: 0.5, seed: 0 })],
    ["gaussian blur, reflected", operators.gaussianBlur(gpu, { shape, kernelSize, std, boundary: "reflect" })],
    ["blur and decimation 4x", operators.decimatedBlur(gpu, { shape, kernel, kernelSize, factor: 4 })],
    ["Hadamard, a quarter", operators.hadamard(gpu, { shape, order: "sequency", ratio: 4 })],
    ["block means 4x", operators.averaging(gpu, { shape, factor: 4 })],
    ...(channels === 3 ? colours() : []),
    ["super-resolution 4x, exact", { ...operators.superResolution(gpu, { shape, factor: 4 }), langevinByUla: false }],
    ["super-resolution 4x, 100 Langevin steps", operators.superResolution(gpu, { shape, factor: 4 })],
    ["phase retrieval, 100 Langevin steps", operators.phaseRetrieval(gpu, { shape, oversample: side < 61 ? 0.5 : 4 })],
    [`matrix of ${rows} rows per channel, by steps`, operators.matrix(gpu, { shape, matrix, rows, perChannel: true })],
  ];
}

/** Milliseconds of one likelihood step, and of one evaluation where a network is given, in turns. */
async function measure(gpu: Gpu, operator: Operator, batch: number, runs: number, evaluate?: () => Promise<void>) {
  const y = new Float32Array(batch * operator.measurementShape.reduce((a, b) => a * b, 1)).fill(0.1);
  return Run.during({ gpu, shape: operator.shape }, { what: "the likelihood step", batch }, async (run) => {
    const likelihood = await openLikelihood(run, operator, {
      y,
      beta: 1e-3,
      ula: undefined,
      langevin: operator.langevinByUla === true || !operator.sampleProximal,
    });
    await likelihood.run(LEVEL);
    const steps: number[] = [];
    const evaluations: number[] = [];
    for (let i = 0; i < runs; i++) {
      steps.push(await timed(gpu, () => likelihood.run(LEVEL)));
      if (evaluate) evaluations.push(await timed(gpu, evaluate));
    }
    return { step: median(steps), evaluation: evaluate ? median(evaluations) : undefined };
  });
}

const gpu = await openGpu();
const batch = 16;
const model = await loadModel(
  gpu,
  fileURLToPath(new URL("../../weights/ncvsd-fashion32.safetensors", import.meta.url)),
);
const session = await model.openGenerator(batch, undefined);
gpu.write(session.sigma, new Float32Array(batch).fill(LEVEL));
const evaluate = async () => {
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  session.encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
};
await timed(gpu, evaluate);

console.log(`${gpu.info.name}\n`);
console.log(
  `| likelihood step, 1x32x32, batch ${batch} | ms | evaluation of the bundled network, ms | share of a run |`,
);
console.log("| --- | ---: | ---: | ---: |");
for (const [name, operator] of tasks(gpu, model.shape)) {
  const { step, evaluation } = await measure(gpu, operator, batch, RUNS, evaluate);
  const share = (100 * step) / (step + evaluation!);
  console.log(`| ${name} | ${step.toFixed(2)} | ${evaluation!.toFixed(1)} | ${share.toFixed(1)}% |`);
}
session.release();
console.log("\n| likelihood step, 3x256x256, batch 1 | ms |\n| --- | ---: |");
for (const [name, operator] of tasks(gpu, [3, 256, 256])) {
  const { step } = await measure(gpu, operator, 1, 3);
  console.log(`| ${name} | ${step.toFixed(1)} |`);
}
gpu.close();
