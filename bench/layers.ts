/** The layers of the comparison with other runtimes, each checked against float64 before anything is timed. */
import { attention } from "../kernels/network/attention/kernel.js";
import { mpSilu } from "../kernels/network/mp-silu/kernel.js";
import { pixelNorm } from "../kernels/network/pixel-norm/kernel.js";
import { matmul } from "../kernels/vae/matmul/kernel.js";
import { type AnyKernel, actType, elementBytes } from "../src/gpu/contract.js";
import type { Gpu } from "../src/gpu/device.js";
import type { Program } from "../src/graph/program.js";
import { prepareKernel, relativeError } from "../src/graph/run-kernel.js";
import { LayerBench, layerWork } from "../src/measure/layer.js";

/** Largest error, ||out - ref|| / ||ref||, of a layer that is timed. */
const TOLERANCE = { f32: 1e-5, f16: 5e-3 };

export interface Layer {
  readonly name: string;
  /** Kernels and variants of its nodes. */
  readonly nodes: readonly string[];
  /** Operations of the direct sum, whatever the algorithm makes. */
  readonly flops: number;
  /** Inputs, weights as stored in a checkpoint, and outputs, each once: what any algorithm has to move. */
  readonly bytes: number;
  readonly error: number;
  readonly ok: boolean;
  readonly program: Program;
}

export interface LayerSpec {
  readonly name: string;
  prepare(gpu: Gpu): Promise<Layer>;
}

export interface ConvLayer {
  readonly kernel: 1 | 3;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly side: number;
  readonly batch: number;
}

export function convLayer(spec: ConvLayer): LayerSpec {
  const { kernel, inChannels, outChannels, side, batch } = spec;
  const images = batch === 1 ? "" : ` b${batch}`;
  const name = `conv ${kernel}x${kernel} ${inChannels}->${outChannels} @${side}x${side}${images}`;
  return { name, prepare: (gpu) => prepareConv(gpu, name, spec) };
}

/** The rows of the table in README, in their order. */
export const LAYERS: readonly LayerSpec[] = [
  convLayer({ kernel: 3, inChannels: 192, outChannels: 192, side: 64, batch: 1 }),
  convLayer({ kernel: 3, inChannels: 384, outChannels: 384, side: 32, batch: 1 }),
  convLayer({ kernel: 3, inChannels: 768, outChannels: 768, side: 8, batch: 1 }),
  convLayer({ kernel: 1, inChannels: 768, outChannels: 2304, side: 8, batch: 1 }),
  kernelLayer("attention 9 x 64 @16x16", attention, { batch: 1, heads: 9, headDim: 64, pixels: 256 }, 151e6),
  matmulLayer(1024),
  kernelLayer("pixel norm 192 @64x64", pixelNorm, { batch: 1, channels: 192, pixels: 4096, silu: false }),
  kernelLayer("mp_silu 192 @64x64", mpSilu, { elements: 192 * 4096, type: "act" }),
];

/** The tuner's layer, as the device's choices compute it. */
async function prepareConv(gpu: Gpu, name: string, spec: ConvLayer): Promise<Layer> {
  const { inChannels, outChannels, side, kernel, batch } = spec;
  const shape = { inChannels, outChannels, kernel, height: side, width: side };
  const bench = new LayerBench(gpu, { shape, epilogue: "none", count: 1 }, batch);
  const { program, output } = await bench.prepare(gpu.caps.tuning ?? new Map());
  await program.run();
  const error = bench.sampledError(await output());
  const work = batch * layerWork(shape);
  const [act, weight] = [elementBytes("act", gpu.precision), elementBytes("weight", gpu.precision)];
  const images = batch * side ** 2 * (inChannels + outChannels);
  const bytes = act * images + weight * outChannels * inChannels * kernel ** 2;
  return layer(gpu, name, 2 * work, bytes, error, program);
}

/** Of a large product there is too much for float64 loops. */
const SAMPLES = 997;

/** One kernel as it is; `flops` where other runtimes count otherwise than the kernel. */
function kernelLayer(name: string, kernel: AnyKernel, params: object, flops?: number): LayerSpec {
  return {
    name,
    async prepare(gpu) {
      const { program, inputs, outputs } = await prepareKernel(gpu, kernel, { name, params });
      await program.run();
      const reference = kernel.reference(params, inputs);
      const errors = Object.entries(await outputs()).map(([key, out]) => relativeError(out, reference[key]!));
      const cost = kernel.cost(params, elementBytes("act", gpu.precision), elementBytes("weight", gpu.precision));
      return layer(gpu, name, flops ?? cost.flops, cost.bytes, Math.max(...errors), program);
    },
  };
}

function matmulLayer(size: number): LayerSpec {
  const name = `matmul ${size}^3`;
  const params = { images: 1, m: size, k: size, n: size, transposed: false, scale: 1 };
  return {
    name,
    async prepare(gpu) {
      const { program, inputs, outputs } = await prepareKernel(gpu, matmul, { name, params });
      await program.run();
      const [a, b] = [inputs.a!, inputs.b!];
      const y = (await outputs()).y!;
      const indices = Array.from({ length: SAMPLES }, (_, i) => i * Math.floor(y.length / SAMPLES));
      const expected = indices.map((index) => {
        const [row, col] = [Math.floor(index / size), index % size];
        let sum = 0;
        for (let k = 0; k < size; k++) sum += a[row * size + k]! * b[k * size + col]!;
        return sum;
      });
      const error = relativeError(
        indices.map((index) => y[index]!),
        expected,
      );
      const { flops, bytes } = matmul.cost(params, elementBytes("act", gpu.precision), 4);
      return layer(gpu, name, flops, bytes, error, program);
    },
  };
}

function layer(gpu: Gpu, name: string, flops: number, bytes: number, error: number, program: Program): Layer {
  const nodes = program.graph.nodes.map(({ kernel, params }) =>
    `${kernel.name} ${kernel.variant(params as never, gpu.caps).key}`.trimEnd(),
  );
  return { name, nodes, flops, bytes, error, ok: error <= TOLERANCE[actType(gpu.precision)], program };
}
