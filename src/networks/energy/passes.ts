/**
 * The passes of DISCO's network as nodes of a graph, activations [channels][columns] with a column for each row of the batch:
 * forward, and the first backward pass, which ends in the gradient of phi. kernels/lib/norm-act.ts has the notation.
 */
import { energyHead } from "../../../kernels/energy/energy-head/kernel.js";
import { normAct } from "../../../kernels/energy/norm-act/kernel.js";
import { normActBackward } from "../../../kernels/energy/norm-act-backward/kernel.js";
import { sinusoid } from "../../../kernels/energy/sinusoid/kernel.js";
import { sinusoidBackward } from "../../../kernels/energy/sinusoid-backward/kernel.js";
import { type NormActShape, partsOf, type UnitSource } from "../../../kernels/lib/norm-act.js";
import { SEGMENTS } from "../../../kernels/lib/tiles.js";
import { gemm } from "../../../kernels/network/gemm/kernel.js";
import { gemmWeightLength } from "../../../kernels/network/gemm/weight.js";
import type { Graph, Tensor } from "../../graph/graph.js";
import type { DiscoConfig } from "./config.js";
import { type EnergyLayout, frequencyName, packedName } from "./parameters.js";

/** A graph under construction for some rows of a batch. */
export interface PassContext {
  readonly graph: Graph;
  readonly config: DiscoConfig;
  readonly layout: EnergyLayout;
  readonly rows: number;
  /** At least as many, a multiple of 4: those past the last row repeat it. */
  readonly columns: number;
  /** In front of the names of nodes. */
  readonly prefix: string;
}

/** A normalisation with its activation, and the layer behind it. */
export interface Unit {
  readonly norm: string;
  readonly layer: string;
  readonly shape: NormActShape;
  /** Where the bias of the layer in front begins. */
  readonly bias: number;
}

/** What the forward pass leaves. */
export interface Tape {
  readonly features: Tensor;
  /** Normalised activations and reciprocal standard deviations of every unit; absent where they were not asked for. */
  readonly normal: readonly (Tensor | undefined)[];
  readonly inverse: readonly (Tensor | undefined)[];
  /** Inputs of the layers behind the units. */
  readonly activated: readonly Tensor[];
  /** Derivative of phi by z, of an energy. */
  readonly dz: Tensor | undefined;
}

/** The external of this name, made once for a graph. */
function sharedExternal(graph: Graph, name: string, shape: readonly number[], type: "f32" | "u32" | "weight"): Tensor {
  return (
    graph.tensors.find((tensor) => tensor.kind === "external" && tensor.name === name) ??
    graph.external(name, shape, type)
  );
}

export const bankOf = ({ graph, layout }: PassContext) => sharedExternal(graph, "bank", [layout.elements], "f32");

export const frequenciesOf = ({ graph }: PassContext, embed: number) =>
  sharedExternal(graph, frequencyName(embed), [Math.floor(embed / 2)], "u32");

/** The units in order: two of every block, and the last one. */
export function unitsOf({ config, layout, columns }: Pick<PassContext, "config" | "layout" | "columns">): Unit[] {
  const { width, blocks, conditional, negative_slope } = config;
  const first: UnitSource = conditional ? "label" : "doubled";
  const unit = (norm: string, layer: string, source: UnitSource, before: string): Unit => ({
    norm,
    layer,
    bias: layout.place(`${before}.bias`).offset,
    shape: {
      channels: width,
      columns,
      source,
      bank: layout.elements,
      alpha: layout.place(`${norm}.alpha`).offset,
      gamma: layout.place(`${norm}.gamma`).offset,
      beta: layout.place(`${norm}.beta`).offset,
      slope: negative_slope,
    },
  });
  const inner = Array.from({ length: blocks }, (_, i) => {
    const at = `blocks.${i}`;
    const before = i === 0 ? "in" : `blocks.${i - 1}.fc1`;
    return [
      unit(`${at}.norm0`, `${at}.fc0`, i === 0 ? first : "residual", before),
      unit(`${at}.norm1`, `${at}.fc1`, "plain", `${at}.fc0`),
    ];
  }).flat();
  return [...inner, unit("out_norm", "out", "residual", `blocks.${blocks - 1}.fc1`)];
}

/**
 * From so many terms on a product's sum is made in parts: what one chain of additions rounds off grows with its length, and the first
 * normalisations multiply it by about five.
 */
const LONG = 129;

/** x [inputs][columns] times a layer's weight, or [outputs][columns] times its transpose; without the bias. */
export function product(context: PassContext, name: string, layer: string, transposed: boolean, x: Tensor): Tensor {
  const { graph, layout, columns, prefix } = context;
  const [outputs, inputs] = layout.place(`${layer}.weight`).shape as [number, number];
  const [rows, depth] = transposed ? [inputs, outputs] : [outputs, inputs];
  const w = sharedExternal(graph, packedName(layer, transposed), [gemmWeightLength(1, rows, depth)], "weight");
  // `perImage` keeps the number of rows out of what a tuned choice depends on.
  const shape = { groups: 1, images: 1, rows, depth, columns, perImage: 1, segments: depth < LONG ? 1 : SEGMENTS[0] };
  const params = { ...shape, type: "f32" as const, epilogue: { kind: "none" as const } };
  return graph.run(`${prefix}${name}`, gemm, params, { x, w }, { y: [rows, columns] }).y;
}

/** Shape of the features of the coordinates. */
export const featureShape = ({ config, rows, columns }: PassContext) => ({
  rows,
  columns,
  dims: config.dim,
  embed: config.embed,
});

/** Features of x [rows, dim]: [dim embed][columns]. */
export function coordinateFeatures(context: PassContext, x: Tensor, to?: Tensor): Tensor {
  const { graph, config, columns, prefix } = context;
  const reads = { x, q: frequenciesOf(context, config.embed) };
  const f = to ?? [config.dim * config.embed, columns];
  return graph.run(`${prefix}features`, sinusoid, featureShape(context), reads, { f }).f;
}

/** Where the forward pass puts its results: external tensors, or new ones. */
export interface ForwardOutputs {
  /** [rows, dim] */
  readonly z?: Tensor | undefined;
  /** [rows] */
  readonly phi?: Tensor | undefined;
  /** Places for the activations of the units, and the derivative by z, where somebody needs them there. */
  readonly activated?: readonly Tensor[];
  readonly dz?: Tensor;
}

/**
 * From x [rows, dim] (and labels [rows]) to z, and for an energy to phi = |z|^2.
 * @param keep also what derivatives read
 */
export function forwardPass(
  context: PassContext,
  inputs: { readonly x: Tensor; readonly labels: Tensor | undefined },
  keep: boolean,
  outputs: ForwardOutputs = {},
): Tape & { readonly z: Tensor; readonly phi: Tensor | undefined } {
  const { graph, config, layout, rows, columns, prefix } = context;
  const { dim, width } = config;
  const w = bankOf(context);
  const features = coordinateFeatures(context, inputs.x);
  let r: Tensor | undefined;
  if (config.conditional) {
    const shape = { rows, columns, dims: 1, embed: width / 2 };
    const own = { x: inputs.labels, q: frequenciesOf(context, width / 2) };
    r = graph.run(`${prefix}label features`, sinusoid, shape, own, { f: [width / 2, columns] }).f;
  }
  const normal: (Tensor | undefined)[] = [];
  const inverse: (Tensor | undefined)[] = [];
  const activated: Tensor[] = [];
  let g = product(context, "in", "in", false, features);
  const units = unitsOf(context);
  for (const [i, { norm, layer, shape, bias }] of units.entries()) {
    const params = { ...shape, bias, eps: config.norm_eps, tape: keep };
    const all = [width, columns];
    const to = { h: all, n: all, s: [columns], v: outputs.activated?.[i] ?? all };
    const { h, n, s, v } = graph.run(`${prefix}${norm}`, normAct, params, { g, w, r }, to);
    normal.push(n);
    inverse.push(s);
    activated.push(v);
    if (shape.source !== "plain") r = h;
    // The head has its own product.
    if (i < units.length - 1) g = product(context, layer, layer, false, v);
  }
  const head = {
    rows,
    columns,
    dims: dim,
    channels: width,
    bank: layout.elements,
    weight: layout.place("out.weight").offset,
    bias: layout.place("out.bias").offset,
    energy: config.energy,
  };
  const to = { z: outputs.z ?? [rows, dim], phi: outputs.phi ?? [rows], dz: outputs.dz ?? [dim, columns] };
  const { z, phi, dz } = graph.run(`${prefix}head`, energyHead, head, { v: activated.at(-1), w }, to);
  return { features, normal, inverse, activated, dz, z, phi };
}

/** What a backward pass leaves. */
export interface Backward {
  /** Derivatives by the products of the layers, of `in` first, then of every unit's layer. */
  readonly products: readonly Tensor[];
  /** Derivatives by the activations of the units. */
  readonly activated: readonly Tensor[];
}

/**
 * The first backward pass, from the derivative by z, [dim][columns], to that by the product of `in`.
 * @param places places for the derivatives by the products, `in` first; the last is `dz` itself
 */
export function backwardPass(context: PassContext, tape: Tape, dz: Tensor, places?: readonly Tensor[]): Backward {
  const { graph, prefix } = context;
  const units = unitsOf(context);
  const w = bankOf(context);
  const products: Tensor[] = new Array(units.length + 1);
  const activated: Tensor[] = new Array(units.length);
  products[units.length] = dz;
  // The derivative by the h of the block behind.
  let r: Tensor | undefined;
  let g = dz;
  for (const [i, { norm, layer, shape }] of [...units.entries()].reverse()) {
    const dv = product(context, `${layer} backward`, layer, true, g);
    activated[i] = dv;
    // Nothing else is behind the last unit's h.
    const own = i === units.length - 1 ? { ...shape, source: "plain" as const } : shape;
    const reads = { g: dv, n: tape.normal[i], s: tape.inverse[i], w, r };
    const to = { dg: places?.[i] ?? [partsOf(shape).g, shape.columns] };
    g = graph.run(`${prefix}${norm} backward`, normActBackward, own, reads, to).dg;
    products[i] = g;
    if (shape.source === "residual") r = g;
  }
  return { products, activated };
}

/** The derivative by the features. */
export const byFeatures = (context: PassContext, name: string, { products }: Backward) =>
  product(context, `in ${name}`, "in", true, products[0]!);

/** The derivative by x, [rows, dim], from that by the features. */
export function coordinates(context: PassContext, tape: Tape, g: Tensor, to: Tensor | undefined): Tensor {
  const { graph, config, rows, prefix } = context;
  const reads = { g, f: tape.features, q: frequenciesOf(context, config.embed) };
  const output = to ?? [rows, config.dim];
  return graph.run(`${prefix}output`, sinusoidBackward, featureShape(context), reads, { dx: output }).dx;
}
