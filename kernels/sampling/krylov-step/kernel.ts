import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update, write } from "../../lib/buffers.js";
import { addressable, fail, nonNegativeInteger, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type KrylovStepParams, reference } from "./reference.js";

const name = "krylov-step";

/**
 * A step of Arnoldi's method per image: y, ax [N, entries] and level [2] to the next vector of basis [N, iterations + 1, entries]
 * and v [N, entries], and a column of h [N, iterations + 1, iterations + 1]. All f32.
 */
export const krylovStep: Kernel<KrylovStepParams> = {
  name,
  source: [...summing(), { file: "kernels/sampling/krylov-step/kernel.wgsl", text: source }],
  check({ batch, entries, iterations, step }) {
    positiveInteger(name, "batch", batch);
    positiveInteger(name, "entries", entries);
    positiveInteger(name, "iterations", iterations);
    nonNegativeInteger(name, "step", step);
    if (step > iterations) fail(name, `step must be at most iterations, ${iterations}`, step);
    addressable(name, "basis", batch, iterations + 1, entries);
  },
  buffers({ batch, entries, iterations, step }) {
    const side = iterations + 1;
    return [
      read("y", step === 0 ? batch * entries : 0),
      read("ax", batch * entries),
      read("level", step === 0 ? 0 : 2),
      update("basis", batch * side * entries),
      update("h", batch * side * side),
      write("v", batch * entries),
    ];
  },
  variant({ step }, caps) {
    const { size, prelude } = summingSize(caps, 256);
    const start = step === 0;
    return { key: `${start ? "start-" : ""}${size}`, prelude: `${prelude}const START: bool = ${start};\n` };
  },
  uniforms: ({ batch, entries, iterations, step }) => ({ workgroups: batch, entries, iterations, step }),
  grid: ({ batch }, _variant, caps) => grid1d(batch, 1, caps),
  cost: ({ batch, entries, step }) => ({
    flops: (4 * step + 6) * batch * entries,
    bytes: 4 * batch * entries * (4 * step + 6),
  }),
  reference,
  cases: [
    { name: "the start of one value", params: { batch: 1, entries: 1, iterations: 1, step: 0 } },
    { name: "a start with nothing to solve", params: { batch: 2, entries: 67, iterations: 2, step: 0 }, inputs: equal },
    at("the first step", { batch: 2, entries: 131, iterations: 1, step: 1 }),
    at("the third of four", { batch: 3, entries: 77, iterations: 4, step: 3 }),
    at("an image", { batch: 2, entries: 3 * 64 * 64 + 5, iterations: 3, step: 2 }),
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
};

function equal(buffer: string, length: number): Float32Array | undefined {
  return buffer === "y" || buffer === "ax" ? new Float32Array(length).fill(0.7) : undefined;
}

/** With vectors of about unit length. */
function at(title: string, params: KrylovStepParams): Case<KrylovStepParams> {
  const scale = 1 / Math.sqrt(params.entries);
  const inputs = (buffer: string, length: number, random: () => number): Float32Array | undefined => {
    if (buffer === "level") return Float32Array.of(0.01, 1.44);
    return buffer === "basis" ? Float32Array.from({ length }, () => scale * random()) : undefined;
  };
  return { name: title, params, inputs };
}
