import { describe, expect, it } from "vitest";
import {
  operandLength,
  panelFor,
  tiling,
  transformFilters,
  type WinogradTile,
  winograd,
  winogradTile,
} from "../../kernels/lib/winograd.js";
import { gemm } from "../../kernels/network/gemm/kernel.js";
import { gemmWeightLength, packGemmWeight } from "../../kernels/network/gemm/weight.js";
import { winogradInput } from "../../kernels/network/winograd-input/kernel.js";
import { winogradOutput } from "../../kernels/network/winograd-output/kernel.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph } from "../../src/graph/graph.js";
import { Program } from "../../src/graph/program.js";
import { normalSource, relativeError } from "../../src/graph/run-kernel.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

interface Layer {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: number;
  readonly width: number;
}

const normals = (length: number, seed: number) => Float32Array.from({ length }, normalSource(seed));

/** The three nodes of a layer on `batch` images; image n's values depend on n only. */
async function run(layer: Layer, tile: WinogradTile, batch: number) {
  const { inChannels, outChannels, height, width } = layer;
  const { points } = winograd(tile);
  const size = { batch, height, width, tile, panel: panelFor(batch, height, width, tile) };
  const tiles = tiling(batch, height, width, size.panel, tile);
  const pixels = height * width;
  const x = new Float32Array(batch * inChannels * pixels);
  for (let n = 0; n < batch; n++) x.set(normals(inChannels * pixels, n + 2), n * inChannels * pixels);
  const w = normals(outChannels * inChannels * 9, 1);
  const packed = packGemmWeight(transformFilters(w, outChannels, inChannels, tile), points, outChannels, inChannels);

  const graph = new Graph();
  const image = graph.external("x", [x.length], "act");
  const weight = graph.external("w", [gemmWeightLength(points, outChannels, inChannels)], "weight");
  const operand = (channels: number) => [operandLength(channels, tiles)];
  const input = { ...size, channels: inChannels };
  const { v } = graph.run("input", winogradInput, input, { x: image }, { v: operand(inChannels) });
  const product = {
    groups: points,
    images: tiles.panels,
    rows: outChannels,
    depth: inChannels,
    columns: tiles.panelColumns,
    live: 4 * tiles.blocks,
    perImage: 4 * tiles.blocksX * tiles.blocksY,
    type: "f32",
    epilogue: { kind: "none" },
  } as const;
  const { y: m } = graph.run("gemm", gemm, product, { x: v, w: weight }, { y: operand(outChannels) });
  const output = { ...size, channels: outChannels, epilogue: { kind: "none" } as const };
  const { y } = graph.run("output", winogradOutput, output, { m }, { y: [batch, outChannels, height, width] });
  graph.kept.add(y);
  const program = await Program.create(gpu, { label: "winograd", graph });
  gpu.write(program.buffer(image), x);
  gpu.write(program.buffer(weight), packed);
  await program.run();
  const out = await program.readTensor(y);
  program.destroy();
  return { out, x, w };
}

/** The direct sum in float64. */
function direct({ inChannels, outChannels, height, width }: Layer, batch: number, x: Float32Array, w: Float32Array) {
  const y = new Float64Array(batch * outChannels * height * width);
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outChannels; o++) {
      for (let row = 0; row < height; row++) {
        for (let col = 0; col < width; col++) {
          let sum = 0;
          for (let i = 0; i < inChannels; i++) {
            for (let k = 0; k < 9; k++) {
              const [sy, sx] = [row + Math.floor(k / 3) - 1, col + (k % 3) - 1];
              if (sy < 0 || sy >= height || sx < 0 || sx >= width) continue;
              sum += w[(o * inChannels + i) * 9 + k]! * x[((n * inChannels + i) * height + sy) * width + sx]!;
            }
          }
          y[at++] = sum;
        }
      }
    }
  }
  return y;
}

const LAYERS: readonly Layer[] = [
  { inChannels: 12, outChannels: 40, height: 8, width: 8 },
  { inChannels: 5, outChannels: 9, height: 13, width: 7 },
  { inChannels: 64, outChannels: 64, height: 4, width: 4 },
  { inChannels: 33, outChannels: 70, height: 6, width: 12 },
  { inChannels: 3, outChannels: 2, height: 1, width: 3 },
];

for (const tile of [2, 4] as const) {
  describe(`F(${tile}x${tile}, 3x3) against the direct sum in float64`, () => {
    // The smaller tile is the more exact one.
    const tolerance = tile === 2 ? 8e-7 : 3e-6;
    for (const layer of LAYERS) {
      const { inChannels, outChannels, height, width } = layer;
      it(`${inChannels} to ${outChannels} channels of ${height}x${width}, whatever the batch`, async () => {
        const { out, x, w } = await run(layer, tile, 3);
        expect(relativeError(out, direct(layer, 3, x, w))).toBeLessThanOrEqual(tolerance);
        // One image, and enough for several panels and for every loop of the products.
        for (const batch of [1, 19]) {
          const other = (await run(layer, tile, batch)).out;
          const length = Math.min(other.length, out.length);
          const bits = (values: Float32Array) => Buffer.from(values.slice(0, length).buffer);
          expect(bits(other).equals(bits(out)), `batch ${batch}`).toBe(true);
        }
      });
    }
  });
}

describe("the transforms", () => {
  it("of both tiles are those of Winograd's identity, in float64", () => {
    for (const tile of [2, 4] as const) {
      const { input, points, G, BT, AT } = winograd(tile);
      expect([input, points]).toEqual([tile + 2, (tile + 2) ** 2]);
      const g = normals(3, 1);
      const d = normals(input, 2);
      const dot = (a: readonly number[], b: ArrayLike<number>) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
      const product = BT.map((row, p) => dot(row, d) * dot(G[p]!, g));
      AT.forEach((row, i) => {
        expect(dot(row, product)).toBeCloseTo(g[0]! * d[i]! + g[1]! * d[i + 1]! + g[2]! * d[i + 2]!, 12);
      });
      // Exact in f32, so that only sums round.
      for (const value of [...BT.flat(), ...AT.flat()]) expect(Math.fround(value)).toBe(value);
    }
  });

  it("the tile of an image is the one that makes fewer products", () => {
    expect(winogradTile(4, 4)).toBe(2);
    expect(winogradTile(3, 4)).toBe(2);
    expect(winogradTile(8, 8)).toBe(4);
    expect(winogradTile(8, 4)).toBe(2);
    // 9 blocks of 16 products or 4 of 36: the larger tile.
    expect(winogradTile(12, 12)).toBe(4);
    expect(winogradTile(64, 64)).toBe(4);
    // Many filters for one block: half as many to read.
    expect(winogradTile(8, 8, 64 * 64)).toBe(4);
    expect(winogradTile(8, 8, 768 * 768)).toBe(2);
    expect(winogradTile(16, 16, 768 * 768)).toBe(4);
  });
});
