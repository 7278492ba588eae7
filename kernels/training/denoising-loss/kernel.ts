import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, finiteNumber, positiveInteger, positiveNumber } from "../../lib/check.js";
import { summing } from "../../lib/entry.js";
import exp from "../../lib/exp.wgsl.js";
import source from "./kernel.wgsl.js";
import { lossPieces, PIECE } from "./pieces.js";
import { type DenoisingLossParams, reference } from "./reference.js";

/** D, x0 [N, elements], t, u [N] to loss and dD [N, elements] and the parts of du [N, pieces]. All f32. */
export const denoisingLoss: Kernel<DenoisingLossParams> = {
  name: "denoising-loss",
  source: [
    ...summing(64),
    { file: "kernels/lib/exp.wgsl", text: exp },
    { file: "kernels/training/denoising-loss/kernel.wgsl", text: source },
  ],
  check({ batch, elements, sigmaData, factor }) {
    positiveInteger("denoising-loss", "batch", batch);
    positiveInteger("denoising-loss", "elements", elements);
    positiveNumber("denoising-loss", "sigmaData", sigmaData);
    finiteNumber("denoising-loss", "factor", factor);
    addressable("denoising-loss", "D", batch, elements);
  },
  buffers(params) {
    const { batch, elements } = params;
    return [
      read("D", batch * elements),
      read("x0", batch * elements),
      read("t", batch),
      read("u", batch),
      write("loss", batch * elements),
      write("dD", batch * elements),
      write("partials", batch * lossPieces(params)),
    ];
  },
  variant: () => ({ key: "", prelude: `const PIECE: u32 = ${PIECE}u;\n` }),
  uniforms(params) {
    const { batch, elements, sigmaData, factor } = params;
    const pieces = lossPieces(params);
    return { elements, pieces, workgroups: batch * pieces, sigmaData, factor };
  },
  grid: (params, _variant, caps) => grid1d(params.batch * lossPieces(params), 1, caps),
  cost({ batch, elements }) {
    return { flops: 7 * batch * elements, bytes: 16 * batch * elements };
  },
  reference,
  cases: [
    lossCase("one entry", { batch: 1, elements: 1, sigmaData: 0.5, factor: 1 }),
    lossCase("odd sizes, levels from 0.002 to 80", { batch: 5, elements: 131, sigmaData: 0.5, factor: 0.1 }),
    lossCase("two pieces, the last of one entry", { batch: 3, elements: 4097, sigmaData: 1, factor: 1 / 2048 }),
    lossCase("factor 0", { batch: 2, elements: 60, sigmaData: 0.5, factor: 0 }),
    lossCase("a million entries", { batch: 1, elements: 1_000_003, sigmaData: 0.5, factor: 1 / 16 }),
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};

/** Levels spaced evenly on a logarithmic scale, log variances from -4 to 4, and errors as large as the level. */
function lossCase(name: string, params: DenoisingLossParams): Case<DenoisingLossParams> {
  const { batch, elements } = params;
  const along = (n: number) => n / Math.max(1, batch - 1);
  const level = (n: number) => 0.002 * 40_000 ** along(n);
  return {
    name,
    params,
    inputs(buffer, length, random) {
      if (buffer === "t") return Float32Array.from({ length }, (_, n) => level(n));
      if (buffer === "u") return Float32Array.from({ length }, (_, n) => 4 * Math.sin(2 + 3 * n));
      if (buffer === "D") {
        const error = (i: number) => Math.min(1, level(Math.floor(i / elements)));
        return Float32Array.from({ length }, (_, i) => Math.sin(i) + error(i) * random());
      }
      return Float32Array.from({ length }, (_, i) => Math.sin(i));
    },
  };
}
