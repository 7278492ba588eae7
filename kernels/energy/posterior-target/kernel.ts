import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, inRange, positiveInteger, positiveNumber } from "../../lib/check.js";
import workgroups from "../../lib/workgroups.wgsl.js";
import source from "./kernel.wgsl.js";
import { type PosteriorTargetParams, reference } from "./reference.js";

/** The variants hold the coordinates of a point in registers, or spill them. */
const MOST_DIMS = 512;

/** Points x [rows, dims] and data [keys, dims] to what is learnt at the points, goal [rows, dims]. */
export const posteriorTarget: Kernel<PosteriorTargetParams> = {
  name: "posterior-target",
  source: [
    { file: "kernels/lib/workgroups.wgsl", text: workgroups },
    { file: "kernels/energy/posterior-target/kernel.wgsl", text: source },
  ],
  check({ rows, dims, keys, sigma }) {
    positiveInteger("posterior-target", "rows", rows);
    positiveInteger("posterior-target", "keys", keys);
    inRange("posterior-target", "dims", dims, 1, MOST_DIMS);
    positiveNumber("posterior-target", "sigma", sigma);
    addressable("posterior-target", "data", keys, dims);
  },
  buffers: ({ rows, dims, keys, draw }) => [
    read("x", rows * dims),
    read("data", keys * dims),
    read("u", draw ? rows : 0),
    write("goal", rows * dims),
  ],
  variant({ dims, draw }, { software }) {
    // Few on a processor, where a workgroup has no lanes to fill.
    const size = software ? 8 : 64;
    return {
      key: `${dims} ${size}${draw ? " draw" : ""}`,
      prelude: `const DIMS: u32 = ${dims}u;\nconst SIZE: u32 = ${size}u;\nconst DRAW: bool = ${draw};`,
    };
  },
  uniforms: ({ rows, keys, sigma }) => ({
    workgroups: Math.ceil(rows / 4),
    rows,
    keys,
    sharpness: 1 / (2 * sigma ** 2),
  }),
  grid: ({ rows }, _variant, caps) => grid1d(Math.ceil(rows / 4), 1, caps),
  cost: ({ rows, dims, keys }) => ({
    flops: rows * keys * (8 * dims + 12),
    bytes: 4 * (2 * rows + keys) * dims,
  }),
  reference,
  cases: [
    targetCase("one key", { rows: 2, dims: 1, keys: 1, sigma: 0.1, draw: false }),
    targetCase("fewer keys than invocations", { rows: 5, dims: 2, keys: 5, sigma: 0.5, draw: false }),
    targetCase("odd keys", { rows: 70, dims: 3, keys: 301, sigma: 0.3, draw: false }),
    targetCase("odd keys, a draw", { rows: 70, dims: 3, keys: 301, sigma: 0.3, draw: true }),
    targetCase("a draw of few", { rows: 9, dims: 1, keys: 3, sigma: 0.5, draw: true }),
    targetCase("many coordinates", { rows: 12, dims: 50, keys: 64, sigma: 4, draw: false }),
    // Logits near -1e5: the largest must be taken off before anything is exponentiated.
    targetCase("far away", { rows: 4, dims: 2, keys: 50, sigma: 0.1, draw: false }, 40),
  ],
  tolerance: { f32: 3e-6, f16: 3e-6 },
};

function targetCase(name: string, params: PosteriorTargetParams, away = 0): Case<PosteriorTargetParams> {
  return {
    name,
    params,
    inputs: (buffer, length, random) => {
      // Away from the ends of the keys' shares, where a float may fall on the other side.
      if (buffer === "u") return Float32Array.from({ length }, (_, i) => ((i * 29 + 7) % 64) / 64 + 0.003);
      return buffer === "x" ? Float32Array.from({ length }, () => away + random()) : undefined;
    },
  };
}
