import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, inRange, positiveInteger, positiveNumber } from "../../lib/check.js";
import workgroups from "../../lib/workgroups.wgsl.js";
import source from "./kernel.wgsl.js";
import { type PosteriorTilesParams, reference } from "./reference.js";

/** Data of a tile. */
export const TILE = 256;
/** Bounds of tiles tell near from far in few coordinates only. */
export const MOST_TILED_DIMS = 4;

const tilesOf = (keys: number) => Math.ceil(keys / TILE);

/** Points x [rows, dims], data [keys, dims] and the bounds of their tiles [tiles, 2, dims] to what is learnt there, goal [rows, dims]. */
export const posteriorTiles: Kernel<PosteriorTilesParams> = {
  name: "posterior-tiles",
  source: [
    { file: "kernels/lib/workgroups.wgsl", text: workgroups },
    { file: "kernels/energy/posterior-tiles/kernel.wgsl", text: source },
  ],
  check({ rows, dims, keys, sigma }) {
    positiveInteger("posterior-tiles", "rows", rows);
    positiveInteger("posterior-tiles", "keys", keys);
    inRange("posterior-tiles", "dims", dims, 1, MOST_TILED_DIMS);
    positiveNumber("posterior-tiles", "sigma", sigma);
    addressable("posterior-tiles", "data", keys, dims);
  },
  buffers: ({ rows, dims, keys }) => [
    read("x", rows * dims),
    read("data", keys * dims),
    read("bounds", 2 * tilesOf(keys) * dims),
    write("goal", rows * dims),
  ],
  variant({ dims }, { software }) {
    // Few on a processor, where a workgroup has no lanes to fill.
    const size = software ? 8 : 64;
    return {
      key: `${dims} ${size}`,
      prelude: `const DIMS: u32 = ${dims}u;\nconst SIZE: u32 = ${size}u;\nconst TILE: u32 = ${TILE}u;`,
    };
  },
  uniforms: ({ rows, keys, sigma }) => ({
    workgroups: rows,
    keys,
    tiles: tilesOf(keys),
    sharpness: 1 / (2 * sigma ** 2),
  }),
  grid: ({ rows }, _variant, caps) => grid1d(rows, 1, caps),
  // How many tiles are near depends on the data; a tenth of them, for both turns, is what standardised tables of two columns have.
  cost: ({ rows, dims, keys }) => ({
    flops: rows * (keys / 10) * (8 * dims + 12) + rows * tilesOf(keys) * 24 * dims,
    bytes: 4 * (2 * rows + keys) * dims,
  }),
  reference,
  cases: [
    tiledCase("one key", { rows: 2, dims: 1, keys: 1, sigma: 0.1 }),
    tiledCase("fewer keys than a tile", { rows: 5, dims: 2, keys: 100, sigma: 0.5 }),
    tiledCase("the last tile is not full", { rows: 60, dims: 2, keys: 3 * TILE + 7, sigma: 0.3 }),
    tiledCase("three coordinates, narrow", { rows: 40, dims: 3, keys: 2 * TILE, sigma: 0.05 }),
    // Logits near -1e5: the largest must be taken off before anything is exponentiated.
    tiledCase("far away", { rows: 4, dims: 2, keys: 2 * TILE, sigma: 0.1 }, 40),
  ],
  tolerance: { f32: 3e-6, f16: 3e-6 },
};

/** Data along a curve, neighbours together, and their bounds. */
function tiledCase(name: string, params: PosteriorTilesParams, away = 0): Case<PosteriorTilesParams> {
  const { dims, keys } = params;
  const value = (j: number, d: number) => Math.fround(Math.sin((2 + d) * (j / keys) + d) + 0.1 * Math.cos(7 * j + d));
  return {
    name,
    params,
    inputs: (buffer, length, random) => {
      if (buffer === "data") return Float32Array.from({ length }, (_, i) => value(Math.floor(i / dims), i % dims));
      if (buffer === "x") return Float32Array.from({ length }, () => away + random());
      const of = (tile: number, d: number) =>
        Array.from({ length: Math.min(TILE, keys - tile * TILE) }, (_, k) => value(tile * TILE + k, d));
      return Float32Array.from({ length }, (_, i) => {
        const own = of(Math.floor(i / (2 * dims)), i % dims);
        return i % (2 * dims) < dims ? Math.min(...own) : Math.max(...own);
      });
    },
  };
}
