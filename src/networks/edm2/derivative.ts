import { axpby } from "../../../kernels/network/axpby/kernel.js";
import { vjps } from "../../../kernels/vjps.js";
import { bad, NcvsdError } from "../../errors.js";
import { mib } from "../../gpu/device.js";
import { gradient } from "../../graph/gradient.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { planMemory } from "../../graph/plan.js";
import { type Pooled, ProgramPool } from "../../graph/pool.js";
import { Program } from "../../graph/program.js";
import { nonFiniteNode } from "../../graph/trace.js";
import { pulled } from "../../layers/pulled.js";
import { labelRows } from "../inputs.js";
import type { Denoiser, DenoiserVjpSession, Labels } from "../session.js";
import type { NetworkConfig } from "./arguments.js";
import { Model } from "./loaded.js";
import { addDenoiser, type BuildOptions } from "./network.js";

/** D(x; sigma) of a teacher, and behind it J'v. */
interface VjpGraph {
  readonly graph: Graph;
  /** Nodes of the evaluation; those of the reverse pass come behind them. */
  readonly forward: number;
  readonly x: Tensor;
  readonly sigma: Tensor;
  readonly labels: Tensor | undefined;
  readonly denoised: Tensor;
  readonly v: Tensor;
  readonly vjp: Tensor;
}

/**
 * The evaluation and one reverse pass as one graph. What the reverse pass reads of the evaluation keeps its place to the end, so
 * that it can run several times.
 */
export function vjpGraph(
  config: NetworkConfig,
  batch: number,
  { tuning, rates, bindingBytes }: Pick<BuildOptions, "tuning" | "rates" | "bindingBytes"> = {},
): VjpGraph {
  const graph = new Graph();
  const { layers, rules } = pulled();
  const { img_channels: channels, img_resolution: side } = config;
  const shape = [batch, channels, side, side];
  const x = graph.external("x", shape);
  const sigma = graph.external("sigma", [batch]);
  const labels = config.label_dim > 0 ? graph.external("labels", [batch, config.label_dim]) : undefined;
  const denoised = graph.external("denoised", shape);
  const v = graph.external("v", shape);
  // A copy, since a sampler may write its next level before the reverse pass.
  const copy = { elements: batch, type: "f32" as const, alpha: 1, beta: null };
  const level = graph.run("sigma, as evaluated", axpby, copy, { a: sigma }, { y: [batch] }).y;
  const build = { graph, batch, tuning, rates, bindingBytes, layers, wants: () => false, tap() {} };
  addDenoiser(build, config, { x, sigma: level, labels }, denoised);
  const forward = graph.nodes.length;
  const dx = gradient(graph, new Map([[denoised, v]]), [x], { vjps, rules }).get(x)!;
  const vjp = graph.publish(dx, "vjp");
  const made = new Set(graph.nodes.slice(0, forward).flatMap(({ writes }) => Object.values(writes)));
  for (const { reads } of graph.nodes.slice(forward))
    for (const tensor of Object.values(reads))
      if (tensor.kind === "activation" && made.has(tensor)) graph.kept.add(tensor);
  return { graph, forward, x, sigma, labels, denoised, v, vjp };
}

/**
 * D(x; sigma) and J'v, v times the Jacobian of D with respect to x, through the whole of D = c_skip x + c_out F(c_in x; sigma):
 * J'v = c_skip v + c_out c_in F'(v). Weights, labels and sigma are constants. One reverse pass computes nothing of the evaluation
 * again: what it needs stays in memory, and the transposed weights are packed once.
 * In f16, v passes through halves: keep its entries between 1e-3 and 1e3.
 * @param model an EDM2 teacher, or any denoiser with an `openDenoiserVjp` of its own
 * @throws NcvsdError BAD_ARGUMENT, OUT_OF_MEMORY
 */
export async function openDenoiserVjp(
  model: Denoiser,
  batch: number,
  labels: Labels | undefined,
): Promise<DenoiserVjpSession> {
  if (model.openDenoiserVjp) return model.openDenoiserVjp(batch, labels);
  if (!(model instanceof Model))
    throw bad(
      "The denoiser has no derivative: give it an openDenoiserVjp(batch, labels), or use a loaded EDM2 teacher.",
    );
  const { gpu, config, checkpoint } = model;
  if (model.architecture !== "edm2")
    throw bad(
      `${checkpoint.name} is a generative denoiser: derivatives are of the mean that an EDM2 teacher computes; use one.`,
    );
  model.check();
  const rows = labelRows(labels, batch, config.label_dim);
  const pool = poolOf(model);
  const prepared = pool.take(batch) ?? (await prepare(model, batch));
  const { net, program } = prepared;
  if (net.labels) gpu.write(program.buffer(net.labels), rows);
  return {
    gpu,
    batch,
    x: program.buffer(net.x),
    sigma: program.buffer(net.sigma),
    denoised: program.buffer(net.denoised),
    v: program.buffer(net.v),
    vjp: program.buffer(net.vjp),
    encode: (pass) => program.encode(pass, 0, net.forward),
    pullback: { encode: (pass) => program.encode(pass, net.forward) },
    locateNonFinite: () => nonFiniteNode(program),
    release: () => pool.give(batch, prepared),
  };
}

/** A graph made ready, for one batch. */
interface Prepared extends Pooled {
  readonly net: VjpGraph;
  readonly program: Program;
}

/** What nobody uses now, by model and batch. */
const pools = new WeakMap<Model, ProgramPool<number, Prepared>>();

function poolOf(model: Model): ProgramPool<number, Prepared> {
  const known = pools.get(model);
  if (known) return known;
  const pool = new ProgramPool<number, Prepared>(model.gpu);
  pools.set(model, pool);
  model.onClose(() => pool.close());
  return pool;
}

async function prepare({ gpu, config, weights }: Model, batch: number): Promise<Prepared> {
  const { tuning, rates } = gpu.caps;
  // As the model's own plan, whose packed weights it shares.
  const net = vjpGraph(config, batch, { tuning, rates, bindingBytes: gpu.bindingBytes });
  const { graph } = net;
  const plan = planMemory(graph, gpu.precision, gpu.device.limits.maxBufferSize);
  const label = `edm2 network with its derivative at batch ${batch}`;
  try {
    await weights.load(graph);
    const program = await Program.create(gpu, { label, graph, constants: weights, plan });
    return { net, program, bytes: program.bytes, destroy: () => program.destroy() };
  } catch (error) {
    if (!(error instanceof NcvsdError && error.code === "OUT_OF_MEMORY")) throw error;
    const needs = `${mib(plan.activationBytes + plan.externalBytes)} beside ${mib(plan.constantBytes)} of weights`;
    const advice = batch > 1 ? "try fewer images at a time" : "use a sampler without derivatives";
    const message = `The network with its derivative at batch ${batch} needs ${needs}, more than ${gpu.info.name} can hold: ${advice}.`;
    throw new NcvsdError("OUT_OF_MEMORY", message, { cause: error });
  }
}
