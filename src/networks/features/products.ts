import { patches } from "../../../kernels/features/patches/kernel.js";
import { patchColumns } from "../../../kernels/features/patches/reference.js";
import { planesOut } from "../../../kernels/features/planes-out/kernel.js";
import { outputSize } from "../../../kernels/lib/window.js";
import {
  type BlockRange,
  operandLength,
  panelFor,
  partOf,
  tiling,
  winograd,
  winogradTile,
} from "../../../kernels/lib/winograd.js";
import { gemm } from "../../../kernels/network/gemm/kernel.js";
import { gemmWeightLength, packGemmWeight } from "../../../kernels/network/gemm/weight.js";
import { winogradInput } from "../../../kernels/network/winograd-input/kernel.js";
import { winogradOutput } from "../../../kernels/network/winograd-output/kernel.js";
import type { Kernel } from "../../gpu/contract.js";
import type { Graph, Tensor } from "../../graph/graph.js";
import { ordinal, parts } from "../../layers/convolution.js";
import { plainRecipe } from "../../layers/weights.js";
import { packWinogradWeight } from "../../layers/winograd-weight.js";
import { type Conv2dLayer, pair } from "./layers.js";

/** A convolution, and where its result goes: a tensor, or the shape of a new one. */
export interface Branch {
  readonly layer: Conv2dLayer;
  readonly to: Tensor | readonly number[];
}

/** The most bytes of a matrix of patches, so that a processor's caches hold it: more pixels are taken in turns. */
const PATCH_BYTES = 4 * 2 ** 20;

/**
 * Convolutions with one window of one tensor as one matrix product over its patches, for adapters on which the product is
 * much faster than a direct sum and memory costs little: software. f32 only, since the product stores weights in the device's
 * precision.
 * @returns the branches' results, in order
 */
export function productConvolutions(graph: Graph, branches: readonly Branch[], x: Tensor): Tensor[] {
  const [batch, inChannels, height, width] = x.shape as [number, number, number, number];
  const { name, kernel, stride = 1, padding = 0 } = branches[0]!.layer;
  const [kernelHeight, kernelWidth] = pair(kernel);
  const [padHeight, padWidth] = pair(padding);
  const window = { height, width, kernelHeight, kernelWidth, stride, padHeight, padWidth };
  const { outHeight, outWidth } = outputSize(window);
  const pixels = outHeight * outWidth;
  const depth = inChannels * kernelHeight * kernelWidth;
  const ofRows = branches.reduce((sum, { layer }) => sum + layer.outChannels, 0);
  const sources = branches.map(({ layer }) => `${layer.name}.weight`);
  const w = graph.constant(`${sources.join(" and ")} (product)`, [gemmWeightLength(1, ofRows, depth)], "weight", {
    sources,
    make(parts) {
      const rows = new Float32Array(ofRows * depth);
      let at = 0;
      for (const part of parts) {
        rows.set(part, at);
        at += part.length;
      }
      return packGemmWeight(rows, 1, ofRows, depth);
    },
  });
  const results = branches.map(({ to }) => to);
  const total = batch * pixels;
  const most = Math.max(4, Math.floor(PATCH_BYTES / (16 * depth)) * 4);
  for (let first = 0; first < total; first += most) {
    const range = { first, count: Math.min(most, total - first) };
    const columns = patchColumns({ pixels: range });
    const part = total > most ? ` ${first / most + 1}` : "";
    const params = { batch, inChannels, ...window, pixels: range };
    const { y: matrix } = graph.run(`${name}.patches${part}`, patches, params, { x }, { y: [depth, columns] });
    const product = { groups: 1, images: 1, rows: ofRows, depth, columns, type: "f32" } as const;
    const m = graph.run(
      `${name}.product${part}`,
      gemm,
      { ...product, epilogue: { kind: "none" } },
      { x: matrix, w },
      { y: [ofRows, columns] },
    ).y;
    let firstRow = 0;
    for (const [i, { layer }] of branches.entries()) {
      const { outChannels: rows, activation = "none", into } = layer;
      const b = graph.constant(`${layer.name}.bias`, [rows], "f32", plainRecipe(`${layer.name}.bias`));
      const source = { kind: "matrix", firstRow, ofRows } as const;
      const size = { batch, rows, height: outHeight, width: outWidth };
      const out = { ...size, range, source, activation, ...(into ? { into } : {}) };
      results[i] = graph.run(`${layer.name}${part}`, planesOut, out, { m, b }, { y: results[i]! }).y;
      firstRow += rows;
    }
  }
  return results as Tensor[];
}

/** A kernel of the plan's precision on tensors of f32, which it is where the plan's precision is f32. */
function inF32<P>(kernel: Kernel<P>): Kernel<P> {
  return {
    ...kernel,
    buffers: (params) => kernel.buffers(params).map((use) => (use.type === "act" ? { ...use, type: "f32" } : use)),
  };
}

const INPUT = inF32(winogradInput);
const OUTPUT = inF32(winogradOutput);

/** The most bytes of an operand of Winograd's products. */
const OPERAND_BYTES = 16 * 2 ** 20;

/**
 * A 3x3 convolution of stride 1 by Winograd's algorithm (kernels/lib/winograd.ts), padded by one pixel or not at all: the
 * transforms pad, and what an unpadded layer has no use for is cut off.
 */
export function winogradConvolution(graph: Graph, { layer, to }: Branch, x: Tensor): Tensor {
  const [batch, inChannels, height, width] = x.shape as [number, number, number, number];
  const { name, outChannels, padding = 0, activation = "none", into } = layer;
  const crop = 1 - pair(padding)[0];
  const tile = winogradTile(height, width, inChannels * outChannels);
  const { points } = winograd(tile);
  const panel = panelFor(batch, height, width, tile);
  const size = { batch, height, width, panel, tile };
  const tiles = tiling(batch, height, width, panel, tile);
  const operand = (channels: number, part: BlockRange) => [operandLength(channels, partOf(tiles, part))];
  const bytes = (count: number) => 4 * operand(Math.max(inChannels, outChannels), { first: 0, count })[0]!;
  const w = graph.constant(
    `${name}.weight (winograd F${tile})`,
    [gemmWeightLength(points, outChannels, inChannels)],
    "weight",
    {
      sources: [`${name}.weight`],
      make: ([raw]) => packWinogradWeight(raw!, outChannels, inChannels, tile),
    },
  );
  let y: Tensor | readonly number[] = [batch, outChannels, height, width];
  const ranges = parts(tiles.blocks, panel, OPERAND_BYTES, bytes);
  for (const [i, blocks] of ranges.entries()) {
    const part = ranges.length > 1 ? { part: blocks } : {};
    const label = ordinal(i, ranges);
    const { panels, panelColumns } = partOf(tiles, blocks);
    const input = { ...size, ...part, channels: inChannels };
    const { v } = graph.run(`${name}.input${label}`, INPUT, input, { x }, { v: operand(inChannels, blocks) });
    const shape = { groups: points, images: panels, rows: outChannels, depth: inChannels, columns: panelColumns };
    const product = { ...shape, live: 4 * blocks.count, type: "f32", epilogue: { kind: "none" } } as const;
    const m = graph.run(`${name}.product${label}`, gemm, product, { x: v, w }, { y: operand(outChannels, blocks) }).y;
    const output = { ...size, ...part, channels: outChannels, epilogue: { kind: "none" } } as const;
    y = graph.run(`${name}.output${label}`, OUTPUT, output, { m }, { y }).y;
  }
  const b = graph.constant(`${name}.bias`, [outChannels], "f32", plainRecipe(`${name}.bias`));
  const [outHeight, outWidth] = [height - 2 * crop, width - 2 * crop];
  const out = {
    ...{ batch, rows: outChannels, height: outHeight, width: outWidth, activation },
    range: { first: 0, count: batch * outHeight * outWidth },
    source: { kind: "images", height, width, crop } as const,
    ...(into ? { into } : {}),
  };
  return graph.run(name, planesOut, out, { m: y as Tensor, b }, { y: to }).y;
}
