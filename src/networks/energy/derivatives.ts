/**
 * DISCO's loss, its gradient by all parameters, and products with the Hessian of phi, written out as four passes through the
 * network: forward, first backward, tangent along the loss's gradient by the output, second backward.
 */
import { normActParameters } from "../../../kernels/energy/norm-act-parameters/kernel.js";
import { normActSecond } from "../../../kernels/energy/norm-act-second/kernel.js";
import { normActTangent } from "../../../kernels/energy/norm-act-tangent/kernel.js";
import { rowSums } from "../../../kernels/energy/row-sums/kernel.js";
import { scoreLoss } from "../../../kernels/energy/score-loss/kernel.js";
import { sinusoidCurvature } from "../../../kernels/energy/sinusoid-curvature/kernel.js";
import { sinusoidTangent } from "../../../kernels/energy/sinusoid-tangent/kernel.js";
import { partsOf } from "../../../kernels/lib/norm-act.js";
import { axpby } from "../../../kernels/network/axpby/kernel.js";
import { sumRows } from "../../../kernels/training/sum-rows/kernel.js";
import { bad } from "../../errors.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { Program, type Region } from "../../graph/program.js";
import { convWeightGradient } from "../../layers/weight-gradient.js";
import { type EnergyParameters, layersOf } from "./parameters.js";
import {
  type Backward,
  backwardPass,
  bankOf,
  byFeatures,
  coordinateFeatures,
  coordinates,
  featureShape,
  forwardPass,
  frequenciesOf,
  type PassContext,
  product,
  type Tape,
  unitsOf,
} from "./passes.js";

/** What the tangent pass leaves: changes of h with their means, and of the layers' inputs. */
interface Tangent {
  readonly moved: readonly Tensor[];
  readonly means: readonly Tensor[];
  /** Change of z, [dim][columns]. */
  readonly z: Tensor;
}

/** Places of tensors: the change of the features, and of the layers' inputs behind the units. */
interface TangentPlaces {
  readonly features?: Tensor;
  readonly activated?: readonly Tensor[];
}

/** The network's change along a direction r [rows, dim] of its inputs. */
function tangentPass(context: PassContext, tape: Tape, r: Tensor, places: TangentPlaces = {}): Tangent {
  const { graph, config, columns, prefix } = context;
  const w = bankOf(context);
  const reads = { r, f: tape.features, q: frequenciesOf(context, config.embed) };
  const to = { fd: places.features ?? [config.dim * config.embed, columns] };
  const features = graph.run(`${prefix}features tangent`, sinusoidTangent, featureShape(context), reads, to).fd;
  const [moved, means]: [Tensor[], Tensor[]] = [[], []];
  let stream: Tensor | undefined;
  let g = product(context, "in tangent", "in", false, features);
  for (const [i, { norm, layer, shape }] of unitsOf(context).entries()) {
    const own = { g, n: tape.normal[i], s: tape.inverse[i], w, r: stream };
    const all = [config.width, columns];
    const outputs = { hd: all, m: [2, columns], vd: places.activated?.[i] ?? all };
    const { hd, m, vd } = graph.run(`${prefix}${norm} tangent`, normActTangent, shape, own, outputs);
    moved.push(hd ?? g);
    means.push(m);
    stream = hd ?? stream;
    g = product(context, `${layer} tangent`, layer, false, vd);
  }
  return { moved, means, z: g };
}

/** Derivatives of <r, grad phi> by what `Backward` has, from that by z. */
function secondPass(
  context: PassContext,
  tape: Tape,
  first: Backward,
  tangent: Tangent,
  dz: Tensor,
  places?: readonly Tensor[],
): Backward {
  const { graph, prefix } = context;
  const units = unitsOf(context);
  const w = bankOf(context);
  const products: Tensor[] = new Array(units.length + 1);
  const activated: Tensor[] = new Array(units.length);
  products[units.length] = dz;
  let r: Tensor | undefined;
  let g = dz;
  for (const [i, { norm, layer, shape }] of [...units.entries()].reverse()) {
    const dv = product(context, `${layer} second`, layer, true, g);
    activated[i] = dv;
    const own = i === units.length - 1 ? { ...shape, source: "plain" as const } : shape;
    const taped = { n: tape.normal[i], s: tape.inverse[i], hd: tangent.moved[i] };
    const to = { dg: places?.[i] ?? [partsOf(shape).g, shape.columns] };
    g = graph.run(
      `${prefix}${norm} second`,
      normActSecond,
      own,
      { ...taped, g: dv, first: first.activated[i], w, r },
      to,
    ).dg;
    products[i] = g;
    if (shape.source === "residual") r = g;
  }
  return { products, activated };
}

/** 2 zd, the derivative of <r, grad phi> by z. */
function seed({ graph, prefix }: PassContext, z: Tensor, to?: Tensor): Tensor {
  const params = { elements: z.length, type: "f32" as const, alpha: 2, beta: null };
  return graph.run(`${prefix}seed`, axpby, params, { a: z }, { y: to ?? z.shape }).y;
}

/** Columns of derivatives: whole 256 bytes, so that parts of a tensor can be bound by themselves. */
const columnsOf = (rows: number) => Math.ceil(rows / 64) * 64;

/** A program with the buffers that are its own. */
export interface EnergyProgram {
  encode(pass: GPUComputePassEncoder): void;
  readonly bytes: number;
  destroy(): void;
}

/** Buffers of a loss: inputs are read, outputs written. */
export interface LossBuffers {
  /** [rows, dim] */
  readonly x: GPUBuffer;
  /** [rows], of conditional networks. */
  readonly labels?: GPUBuffer | undefined;
  /** rows x dim: what the output is to be. */
  readonly goal: GPUBuffer;
  /** [rows] */
  readonly weight: GPUBuffer;
  /** A bank of the parameters' layout, whose padding is left alone: written. */
  readonly gradients: GPUBuffer;
  /** [1]: written. */
  readonly loss: GPUBuffer;
}

/**
 * Makes ready the loss of so many rows, mean of w mean over the coordinates of (output - goal)^2, with its gradient by every
 * parameter. The first gradients' rows are summed in a fixed order.
 */
export async function openEnergyLoss(
  parameters: EnergyParameters,
  rows: number,
  buffers: LossBuffers,
): Promise<EnergyProgram> {
  const { gpu, config, layout } = parameters;
  const graph = new Graph();
  const columns = columnsOf(rows);
  const context: PassContext = { graph, config, layout, rows, columns, prefix: "" };
  const externals = new Map<string, GPUBuffer | Region>(Object.entries(buffers));
  const owned: GPUBuffer[] = [];
  const images = config.energy ? 2 : 1;
  // Two tensors of one buffer, beside each other, and both together as two images: an energy's gradients by weights are sums over
  // both, of which the passes write one each.
  const stack = (name: string, channels: number) => {
    const size = 4 * channels * columns;
    const buffer = gpu.storage(`disco ${name}`, images * size);
    owned.push(buffer);
    const parts = Array.from({ length: images }, (_, i) => {
      externals.set(`${name} ${i}`, { buffer, offset: i * size, size });
      return graph.external(`${name} ${i}`, [channels, columns]);
    });
    externals.set(name, buffer);
    return { whole: graph.external(name, [images, channels, columns], "act"), parts };
  };
  try {
    const layers = layersOf(config);
    const shapes = layers.map((layer) => layout.place(`${layer}.weight`).shape as [number, number]);
    const inputs = layers.map((layer, i) => stack(`${layer} inputs`, shapes[i]![1]));
    const outputs = layers.map((layer, i) => stack(`${layer} gradients`, shapes[i]![0]));
    const part = (stacks: readonly { parts: Tensor[] }[], image: number) => stacks.map(({ parts }) => parts[image]!);
    const x = graph.external("x", [rows, config.dim]);
    const labels = config.conditional ? graph.external("labels", [rows]) : undefined;
    const goal = graph.external("goal", [rows, config.dim]);
    const weight = graph.external("weight", [rows]);
    const shape = { rows, dims: config.dim };
    const own = part(inputs, 0);
    const places = { activated: own.slice(1) };
    // Once more than for the passes: no dispatch may read one part of a buffer and write another.
    coordinateFeatures(context, x, own[0]!);
    let losses: Tensor;
    if (config.energy) {
      const firsts = part(outputs, 1);
      const dz = firsts.at(-1)!;
      const tape = forwardPass(context, { x, labels }, true, { ...places, dz });
      const first = backwardPass(context, tape, dz, firsts);
      const o = coordinates(context, tape, byFeatures(context, "backward", first), undefined);
      const { r, loss } = graph.run(
        "loss",
        scoreLoss,
        shape,
        { o, goal, weight },
        { r: [rows, config.dim], loss: [rows] },
      );
      losses = loss;
      const changes = part(inputs, 1);
      const tangent = tangentPass(context, tape, r, { features: changes[0]!, activated: changes.slice(1) });
      const seconds = part(outputs, 0);
      const second = secondPass(context, tape, first, tangent, seed(context, tangent.z, seconds.at(-1)!), seconds);
      unitGradients(context, tape, second, { first, tangent });
    } else {
      const tape = forwardPass(context, { x, labels }, true, places);
      const seeds = part(outputs, 0);
      const to = { r: seeds.at(-1)!, loss: [rows] };
      const { r, loss } = graph.run("loss", scoreLoss, { ...shape, columns }, { o: tape.z, goal, weight }, to);
      losses = loss;
      unitGradients(context, tape, backwardPass(context, tape, r, seeds));
    }
    graph.run(
      "loss sum",
      sumRows,
      { rows: 1, count: rows, factor: 1 },
      { x: losses },
      { y: graph.external("loss", [1]) },
    );
    for (const [i, layer] of layers.entries()) {
      const [outChannels, inChannels] = shapes[i]!;
      const conv = { inChannels, outChannels, height: 1, width: columns, kernel: 1 as const };
      const dw = convWeightGradient(
        { graph, batch: images, rates: gpu.caps.rates },
        `${layer} weight gradient`,
        conv,
        inputs[i]!.whole,
        outputs[i]!.whole,
      );
      graph.publish(dw, `gradient ${layer}.weight`);
      const bias = graph.external(`gradient ${layer}.bias`, [outChannels]);
      const sums = { rows: outChannels, columns };
      graph.run(`${layer} bias gradient`, rowSums, sums, { x: outputs[i]!.parts[0]! }, { y: bias });
      for (const name of [`${layer}.weight`, `${layer}.bias`])
        externals.set(`gradient ${name}`, layout.region(buffers.gradients, name));
    }
    const label = `disco-mlp loss of ${rows} rows`;
    const program = await Program.create(gpu, { label, graph, externals, constants: parameters });
    return finished(parameters, program, owned);
  } catch (error) {
    for (const buffer of owned) gpu.destroyBuffer(buffer);
    gpu.flushDestroyed();
    throw error;
  }
}

/** Gradients of alpha, gamma and beta of every unit; `energy`: with the terms of the first backward pass. */
function unitGradients(
  context: PassContext,
  tape: Tape,
  last: Backward,
  energy?: { readonly first: Backward; readonly tangent: Tangent },
): void {
  const { graph, layout } = context;
  const gradients = graph.external("gradients", [layout.elements]);
  for (const [i, { norm, shape }] of unitsOf(context).entries()) {
    const more = energy && {
      first: energy.first.activated[i],
      hd: energy.tangent.moved[i],
      m: energy.tangent.means[i],
    };
    const reads = {
      g: last.activated[i],
      n: tape.normal[i],
      s: tape.inverse[i],
      w: bankOf(context),
      d: gradients,
      ...more,
    };
    graph.run(`${norm} gradients`, normActParameters, { ...shape, second: !!energy }, reads, {});
  }
}

/** Buffers of a Hessian-vector product. */
export interface HvpBuffers {
  /** rows x dim: read. */
  readonly x: GPUBuffer;
  /** [rows], of conditional networks: read. */
  readonly labels?: GPUBuffer | undefined;
  /** rows x dim: read. */
  readonly direction: GPUBuffer;
  /** [rows, dim], the gradient of phi: written. */
  readonly output: GPUBuffer;
  /** [rows, dim], the Hessian of phi times the direction: written. */
  readonly hvp: GPUBuffer;
}

/** A Hessian-vector product made ready: `encode` records all of it, or its two halves are recorded one after the other. */
export interface EnergyHvp extends EnergyProgram {
  /** From x to `output`, the gradient of phi. */
  encodeGradient(pass: GPUComputePassEncoder): void;
  /** From `direction`, which may depend on `output`, to `hvp`, at the x of the gradient that was recorded last. */
  encodeProduct(pass: GPUComputePassEncoder): void;
}

/**
 * Makes ready the gradient of phi and the Hessian of phi times a direction, for so many rows.
 * @throws BAD_ARGUMENT for a direct network, which has no phi
 */
export async function openEnergyHvp(
  parameters: EnergyParameters,
  rows: number,
  buffers: HvpBuffers,
): Promise<EnergyHvp> {
  const { gpu, config, layout } = parameters;
  if (!config.energy) throw bad("A direct network has no energy, and so no Hessian.");
  const graph = new Graph();
  const context: PassContext = { graph, config, layout, rows, columns: Math.ceil(rows / 4) * 4, prefix: "" };
  const externals = new Map<string, GPUBuffer | Region>(Object.entries(buffers));
  const points = [rows, config.dim];
  const x = graph.external("x", points);
  const labels = config.conditional ? graph.external("labels", [rows]) : undefined;
  const r = graph.external("direction", points);
  const tape = forwardPass(context, { x, labels }, true);
  const first = backwardPass(context, tape, tape.dz!);
  const p = byFeatures(context, "backward", first);
  coordinates(context, tape, p, graph.external("output", points));
  const half = graph.nodes.length;
  const tangent = tangentPass(context, tape, r);
  const second = secondPass(context, tape, first, tangent, seed(context, tangent.z));
  const reads = {
    g: byFeatures(context, "second", second),
    first: p,
    f: tape.features,
    r,
    q: frequenciesOf(context, config.embed),
  };
  graph.run("hvp", sinusoidCurvature, featureShape(context), reads, { hv: graph.external("hvp", points) });
  const label = `disco-mlp Hessian of ${rows} rows`;
  const program = await Program.create(gpu, { label, graph, externals, constants: parameters });
  return {
    ...finished(parameters, program, []),
    encodeGradient: (pass) => program.encode(pass, 0, half),
    encodeProduct: (pass) => program.encode(pass, half),
  };
}

function finished({ gpu }: EnergyParameters, program: Program, owned: readonly GPUBuffer[]): EnergyProgram {
  return {
    encode: (pass) => program.encode(pass),
    bytes: program.bytes + owned.reduce((sum, { size }) => sum + size, 0),
    destroy() {
      program.destroy();
      for (const buffer of owned) gpu.destroyBuffer(buffer);
      gpu.flushDestroyed();
    },
  };
}
