/** The gradient of a convolution's weight as nodes of a graph, in parts where a buffer would exceed one binding. */

import { channelOperandLength, OCTET, octets, PANEL, panels } from "../../kernels/lib/channel-operand.js";
import { convWeightBackward } from "../../kernels/network/conv-weight-backward/kernel.js";
import { convWeightBackwardCombine } from "../../kernels/network/conv-weight-backward-combine/kernel.js";
import { convWeightBackwardPixels } from "../../kernels/network/conv-weight-backward-pixels/kernel.js";
import { convWeightBackwardProducts } from "../../kernels/network/conv-weight-backward-products/kernel.js";
import { convWeightBackwardTiles } from "../../kernels/network/conv-weight-backward-tiles/kernel.js";
import type { Tensor } from "../graph/graph.js";
import type { ConvShape } from "./conv-algorithm.js";
import { type ConvContext, ordinal, parts, targetIn } from "./convolution.js";
import {
  type GradientAlgorithm,
  gradientAlgorithm,
  inOneGo,
  pieceOf,
  placesOf,
  pointsOf,
  productsAreGradient,
} from "./weight-gradient-algorithm.js";

/**
 * Weight gradient of a convolution (stride 1, zero padding), summed over the batch:
 * dw[o,c,i,j] = sum over n, h, w of g[n,o,h,w] x[n,c,h+i-p,w+j-p], p = (kernel - 1) / 2.
 * @param x [N, inChannels, H, W]  @param g [N, outChannels, H, W]  @returns [outChannels, inChannels, kernel, kernel] f32
 * @param algorithm default: the cheapest
 */
export function convWeightGradient(
  context: ConvContext,
  name: string,
  shape: ConvShape,
  x: Tensor,
  g: Tensor,
  algorithm: GradientAlgorithm = gradientAlgorithm(shape, context.batch, targetIn(context).rates),
): Tensor {
  const { graph, batch } = context;
  const { outChannels, inChannels, kernel } = shape;
  if (algorithm !== "plain") return byProducts(context, name, { shape, algorithm }, x, g);
  const params = { ...shape, batch };
  return graph.run(name, convWeightBackward, params, { x, g }, { dw: [outChannels, inChannels, kernel, kernel] }).dw;
}

interface Products {
  readonly shape: ConvShape;
  readonly algorithm: Exclude<GradientAlgorithm, "plain">;
}

/**
 * Operands with their channels side by side, transformed or shifted; their products, summed over places; then the sum of the
 * pieces, and what leads from points to taps.
 */
function byProducts(context: ConvContext, name: string, { shape, algorithm }: Products, x: Tensor, g: Tensor): Tensor {
  const { graph, batch } = context;
  const { rates, bindingBytes } = targetIn(context);
  const { inChannels, outChannels, kernel } = shape;
  const points = pointsOf(shape, algorithm);
  const all = panels(placesOf(shape, batch, algorithm));
  const piece = pieceOf(shape, batch, algorithm, rates);
  const pieces = Math.ceil(all / piece);
  const operandBytes = (count: number) =>
    4 * channelOperandLength(Math.max(inChannels, outChannels), count * PANEL, points);
  const placeParts = parts(all, piece, bindingBytes, operandBytes);
  const [rows, columns] = [octets(outChannels), octets(inChannels)];
  const atOnce = placeParts.length === 1 && inOneGo(shape, batch, algorithm, rates);
  const left = atOnce ? 1 : pieces;
  const sums = (count: number) => left * points * count * columns * OCTET ** 2;
  const rowParts = parts(rows, 1, bindingBytes, (count) => 4 * sums(count));

  const done = rowParts.length === 1 && productsAreGradient(shape, atOnce);
  const whole = [outChannels, inChannels, kernel, kernel];
  const u: (Tensor | readonly number[])[] = rowParts.map(({ count }) => (done ? whole : [sums(count)]));
  for (const [i, part] of placeParts.entries()) {
    const ofPlaces = `${name}${ordinal(i, placeParts)}`;
    const operands = pack(
      context,
      ofPlaces,
      { shape, algorithm, part: placeParts.length > 1 ? part : undefined },
      x,
      g,
    );
    for (const [j, { first, count }] of rowParts.entries()) {
      const params = {
        groups: points,
        shared: algorithm === "taps" && kernel === 3,
        panels: part.count,
        rows: count,
        columns,
        piece,
        ...(atOnce && pieces > 1 ? { summed: true } : {}),
        ...(done && kernel === 3 ? { done } : {}),
        ...(rowParts.length > 1 ? { from: { first, of: rows } } : {}),
        ...(placeParts.length > 1 ? { into: { first: part.first / piece, of: left } } : {}),
      };
      const y = u[j]!;
      u[j] = graph.run(`${ofPlaces}.product${ordinal(j, rowParts)}`, convWeightBackwardProducts, params, operands, {
        y,
      }).y;
    }
  }
  if (done) return u[0] as Tensor;
  let y: Tensor | readonly number[] = whole;
  for (const [j, { first, count }] of rowParts.entries()) {
    const channels = Math.min(count * OCTET, outChannels - first * OCTET);
    const params = {
      outChannels: channels,
      inChannels,
      kernel,
      pieces: left,
      ...(algorithm === "taps" ? {} : { tile: algorithm }),
      ...(rowParts.length > 1 ? { into: { first: first * OCTET, of: outChannels } } : {}),
    };
    y = graph.run(`${name}${ordinal(j, rowParts)}`, convWeightBackwardCombine, params, { u: u[j] as Tensor }, { y }).y;
  }
  return y as Tensor;
}

interface Packing extends Products {
  /** Panels, where not all. */
  readonly part: { readonly first: number; readonly count: number } | undefined;
}

/** Both operands of the products, of some panels. */
function pack(context: ConvContext, name: string, { shape, algorithm, part }: Packing, x: Tensor, g: Tensor) {
  const { graph, batch } = context;
  const { inChannels, outChannels, height, width, kernel } = shape;
  const image = { batch, height, width };
  const places = placesOf(shape, batch, algorithm);
  const first = (part?.first ?? 0) * PANEL;
  const count = Math.min(places - first, part ? part.count * PANEL : places);
  const some = part ? { part: { first, count } } : {};
  const length = (channels: number, points: number) => [channelOperandLength(channels, count, points)];
  const run = (what: string, channels: number, from: Tensor, of: "input" | "gradient") => {
    if (algorithm !== "taps") {
      const params = { ...image, channels, tile: algorithm, of, ...some };
      const v = length(channels, pointsOf(shape, algorithm));
      return graph.run(`${name}.${what}`, convWeightBackwardTiles, params, { x: from }, { v }).v;
    }
    const window = of === "input" ? kernel : 1;
    const v = length(channels, window * window);
    return graph.run(
      `${name}.${what}`,
      convWeightBackwardPixels,
      { ...image, channels, window, ...some },
      { x: from },
      { v },
    ).v;
  };
  return { a: run("gradient", outChannels, g, "gradient"), b: run("input", inChannels, x, "input") };
}
