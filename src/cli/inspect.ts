import type { Command } from "commander";
import { type CheckpointInput, openCheckpoint } from "../checkpoint/index.js";
import { counted, NcvsdError, oneLine } from "../errors.js";
import { actType, type Precision } from "../gpu/contract.js";
import { mib, precisionOn } from "../gpu/device.js";
import { type Graph, type Node, nodeCost, type Target, whole } from "../graph/graph.js";
import { type MemoryPlan, planMemory, replan } from "../graph/plan.js";
import { type AdapterLimits, adapterLimits, fitOf, largestTensor } from "../measure/fit.js";
import type { NodeProfile } from "../measure/profile.js";
import type { Architecture, NetworkConfig } from "../networks/edm2/arguments.js";
import { parseConfig } from "../networks/edm2/config.js";
import { validateTensors } from "../networks/edm2/names.js";
import { buildNetwork } from "../networks/edm2/network.js";
import { multiplyAdds, networkPreset, PRESET_NAMES, parameterCount } from "../networks/edm2/presets.js";
import { parseInteger, parsePrecision } from "../runs/args.js";
import { shortened } from "../runs/columns.js";
import { bundledCheckpoint } from "../runs/package.js";
import { table } from "../runs/table.js";
import { namedNetwork, PRECISION_HELP } from "./parts/engine.js";
import { type OtherNetwork, otherNetwork, type Planned } from "./parts/inspected.js";
import { AS_HELP, profileFlag, profileReport } from "./parts/plan-profile.js";

interface InspectFlags {
  preset?: string;
  batch: number;
  precision: Precision | "auto";
  adapter?: string;
  plan?: boolean;
  as?: string;
  json?: boolean;
}

export function registerInspect(program: Command): void {
  program
    .command("inspect")
    .summary("print what a checkpoint holds and what an evaluation costs")
    .description(
      "Prints what a checkpoint holds: architecture, config, parameters, FLOPs and peak memory per evaluation. Needs no GPU. " +
        "With --preset it tells the same of a published network that is not there, and whether it would fit this machine's adapter.",
    )
    .argument(
      "[file]",
      "checkpoint, .safetensors or the index of its shards (default: the bundled one); or a VAE, or a feature network",
    )
    .option("--preset <name>", `a published network instead of a file: ${PRESET_NAMES}; or small-unet, the benchmark's`)
    .option(
      "--batch <n>",
      "images per evaluation",
      (t: string) => parseInteger(t, "--batch", { min: 1, max: 65536 }),
      1,
    )
    .option("--precision <type>", PRECISION_HELP, (t: string) => parsePrecision(t), "f32")
    .option(
      "--adapter <name>",
      "say whether it fits this GPU adapter (part of its name, or its number in the list of `doctor`)",
    )
    .option("--plan", "list the nodes of the plan: kernel, shape, FLOPs, bytes, place in memory")
    .option("--as <profile>", AS_HELP)
    .option("--json", "print one JSON object on stdout")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu inspect",
        "  ncvsd-gpu inspect model.safetensors --batch 16 --plan",
        "  ncvsd-gpu inspect --preset edm2-img512-xxl --precision f16",
        "  ncvsd-gpu inspect --preset small-unet --plan --as gpu",
      ].join("\n"),
    )
    .action(async (file: string | undefined, flags: InspectFlags) => {
      if (flags.preset !== undefined && file !== undefined) {
        throw new NcvsdError("BAD_ARGUMENT", "--preset stands for a file: give one or the other.");
      }
      const profile = profileFlag(flags);
      const subject = flags.preset === undefined ? await fromFile(file ?? bundledCheckpoint) : fromPreset(flags.preset);
      const { architecture, config, parameters, macs } = subject;
      const wantsLimits =
        !profile && (flags.preset !== undefined || flags.adapter !== undefined || flags.precision === "auto");
      const limits = wantsLimits ? await adapterLimits(flags.adapter) : null;
      const maxArena = limits === null || typeof limits === "string" ? undefined : limits.bufferBytes;
      const precision = plannedPrecision(flags.precision, profile ?? limits);
      const { rates, bindingBytes } = profile ?? {};
      const target = { rates, bindingBytes };
      const graph = await subject.build({ batch: flags.batch, precision, software: !profile, target });
      const plan = planMemory(graph, precision, maxArena);
      const others = flags.preset === undefined || profile ? [] : otherPrecisions(precision, limits);
      const plans = [plan];
      for (const other of others) {
        const like = plans.find((p) => actType(p.precision) === actType(other));
        plans.push(like ? replan(graph, like, other) : planMemory(graph, other, maxArena));
      }
      const facts = {
        ...subject.facts,
        architecture,
        config,
        labels: subject.labels,
        parameters,
        ...subject.dtypes,
        ...(macs === null ? {} : { multiplyAdds: macs * flags.batch }),
        batch: flags.batch,
        precision,
        nodes: graph.nodes.length,
        flops: plan.flops,
        bytesMoved: plan.traffic,
        ...memoryFacts(plan),
        largestTensor: largestTensor(graph, precision),
        memory: Object.fromEntries(plans.map((p) => [p.precision, memoryFacts(p)])),
        ...(limits === null ? {} : { limits, fits: fits(graph, plans, limits) }),
      };
      const report = profile && (await profileReport(graph, profile, precision));
      const nodes = flags.plan
        ? graph.nodes.map((node, i) => ({ ...describeNode(node, plan), ...report?.nodes[i] }))
        : [];
      if (flags.json) {
        process.stdout.write(
          `${JSON.stringify({ ...facts, ...report?.json, ...(flags.plan ? { plan: nodes } : {}) })}\n`,
        );
        return;
      }
      const lines = [
        ...describeSubject(facts, flags.batch),
        ...plans.flatMap((p) => describePlan(graph, p, limits)),
        ...describeLimits(limits),
        ...(report?.lines ?? []),
        ...nodeTable(nodes),
      ];
      process.stdout.write(`${lines.join("\n")}\n`);
    });
}

/** What is inspected: a checkpoint's network, or one that only has a name. */
interface Subject extends Pick<OtherNetwork, "architecture" | "config" | "parameters" | "build"> {
  readonly labels: readonly string[] | null;
  readonly facts: { file: string; sha256: string; tensors: number } | { preset: string };
  /** Elements of each type, of a file. */
  readonly dtypes: { dtypes?: Record<string, number> };
  /** Of one image, convolutions as direct sums; null: not known. */
  readonly macs: number | null;
}

async function fromFile(file: string): Promise<Subject> {
  const input = namedNetwork(file);
  try {
    return await denoiserIn(file, input);
  } catch (cause) {
    if (!(cause instanceof NcvsdError) || cause.code !== "BAD_CHECKPOINT") throw cause;
    const other = await otherNetwork(input);
    if (!other) throw cause;
    const { sha256, tensors, ...rest } = other;
    return { ...rest, labels: null, facts: { file, sha256, tensors }, dtypes: {}, macs: null };
  }
}

async function denoiserIn(file: string, input: CheckpointInput): Promise<Subject> {
  const checkpoint = await openCheckpoint(input);
  try {
    const { architecture, config, labels } = parseConfig(checkpoint);
    validateTensors(checkpoint, architecture, config);
    // Values too: weights of zeros are no network, whatever the header says.
    for (const name of checkpoint.tensors.keys())
      await checkpoint.readF32(name, { allowNonFinite: true, weights: true });
    const dtypes: Record<string, number> = {};
    for (const { dtype, shape } of checkpoint.tensors.values()) {
      dtypes[dtype] = (dtypes[dtype] ?? 0) + shape.reduce((a, b) => a * b, 1);
    }
    const facts = { file, sha256: await checkpoint.sha256(), tensors: checkpoint.tensors.size };
    return { ...denoiser(architecture, config), labels: labels ?? null, facts, dtypes: { dtypes } };
  } finally {
    await checkpoint.close();
  }
}

function fromPreset(name: string): Subject {
  const { architecture, config } = networkPreset(name);
  return { ...denoiser(architecture, config), labels: null, facts: { preset: name }, dtypes: {} };
}

function denoiser(architecture: Architecture, config: NetworkConfig) {
  return {
    architecture,
    config,
    parameters: parameterCount(architecture, config),
    macs: multiplyAdds(architecture, config),
    build: async ({ batch, target }: Planned) => networkAt(batch, architecture, config, target),
  };
}

function memoryFacts(plan: MemoryPlan) {
  return {
    weightBytes: plan.constantBytes,
    activationBytes: plan.activationBytes,
    activationLowerBound: plan.lowerBound,
    arenas: plan.arenas.length,
    externalBytes: plan.externalBytes,
    peakBytes: plan.constantBytes + plan.activationBytes + plan.externalBytes,
  };
}

/** The storage type that the adapter would use; without an adapter what is asked for, f32 for `auto`. */
function plannedPrecision(
  wanted: Precision | "auto",
  limits: Pick<AdapterLimits, "software" | "half"> | string | null,
): Precision {
  if (limits !== null && typeof limits !== "string") return precisionOn(limits, wanted);
  return wanted === "auto" ? "f32" : wanted;
}

/** The others of a preset: f16 activations only where the adapter, if there is one, has them. */
function otherPrecisions(precision: Precision, limits: AdapterLimits | string | null): Precision[] {
  const half = limits === null || typeof limits === "string" || limits.half;
  const all: readonly Precision[] = half ? ["f32", "f16", "f16-weights"] : ["f32", "f16-weights"];
  return all.filter((other) => other !== precision);
}

function fits(graph: Graph, plans: readonly MemoryPlan[], limits: AdapterLimits | string) {
  if (typeof limits === "string") return null;
  return Object.fromEntries(plans.map((plan) => [plan.precision, fitOf(graph, plan, limits)]));
}

/** @throws NcvsdError BAD_ARGUMENT for a batch whose tensors no kernel can index. */
function networkAt(batch: number, architecture: Architecture, config: NetworkConfig, target: Target): Graph {
  const { bindingBytes, rates } = target;
  try {
    return buildNetwork(architecture, config, batch, {
      rates,
      ...(bindingBytes === undefined ? {} : { bindingBytes }),
    }).graph;
  } catch (cause) {
    if (!(cause instanceof NcvsdError) || batch === 1) throw cause;
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `--batch ${batch} is too large for this network (${cause.message.replace(/\.$/, "")}).`,
      { cause },
    );
  }
}

function describeNode(node: Node, plan: MemoryPlan) {
  const { flops, bytes } = nodeCost(node, plan.precision);
  const out = Object.values(node.writes)[0]!;
  return {
    name: node.name,
    kernel: node.kernel.name,
    shape: out.shape,
    copies: node.copies,
    flops,
    bytes,
    place: plan.places.get(whole(out).id) ?? null,
  };
}

interface Described {
  readonly architecture: string;
  readonly config: object;
  readonly labels: readonly string[] | null;
  readonly precision: Precision;
  readonly parameters: number;
  readonly multiplyAdds?: number;
  readonly flops: number;
  readonly bytesMoved: number;
  readonly nodes: number;
  readonly file?: string;
  readonly sha256?: string;
  readonly tensors?: number;
  readonly preset?: string;
  readonly dtypes?: Record<string, number>;
}

function describeSubject(facts: Described, batch: number): string[] {
  const types = Object.entries(facts.dtypes ?? {}).map(([dtype, count]) => `${count.toLocaleString("en")} ${dtype}`);
  const listed = types.length > 0 ? ` (${types.join(", ")})` : "";
  const stored = facts.tensors === undefined ? "" : ` in ${counted(facts.tensors, "tensor")}${listed}`;
  return [
    ...(facts.file === undefined ? [`preset        ${facts.preset}`] : [`file          ${facts.file}`]),
    ...(facts.sha256 === undefined ? [] : [`sha256        ${facts.sha256}`]),
    `architecture  ${facts.architecture}`,
    `parameters    ${facts.parameters.toLocaleString("en")}${stored}`,
    ...(facts.labels
      ? [`labels        ${wrap(facts.labels.map((label) => shortened(oneLine(label), 60)).join(", "), 14)}`]
      : []),
    "config",
    ...Object.entries(facts.config).map(([key, value]) => `  ${key.padEnd(20)} ${JSON.stringify(value)}`),
    `evaluation at batch ${batch}, ${facts.precision}`,
    ...(facts.multiplyAdds === undefined
      ? []
      : [`  multiply-adds        ${(facts.multiplyAdds / 1e9).toFixed(3)} G, convolutions as direct sums`]),
    `  FLOPs                ${(facts.flops / 1e9).toFixed(3)} G in ${counted(facts.nodes, "node")}, as the kernels compute them`,
    `  bytes moved          ${mib(facts.bytesMoved)}`,
  ];
}

function describePlan(graph: Graph, plan: MemoryPlan, limits: AdapterLimits | string | null): string[] {
  const memory = memoryFacts(plan);
  const bound = `any plan needs ${mib(memory.activationLowerBound)}`;
  const { name, shape, bytes } = largestTensor(graph, plan.precision);
  const fit = limits === null || typeof limits === "string" ? undefined : fitOf(graph, plan, limits);
  return [
    `memory in ${plan.precision}`,
    `  weights              ${mib(memory.weightBytes)}`,
    `  activations          ${mib(memory.activationBytes)} in ${memory.arenas} buffers (${bound})`,
    `  inputs and outputs   ${mib(memory.externalBytes)}`,
    `  peak memory          ${mib(memory.peakBytes)}`,
    `  largest tensor       ${wrap(`${mib(bytes)}: ${name} [${shape.join(", ")}]`, 23)}`,
    ...(fit ? [`  fits this adapter    ${fit.fits ? "yes" : `no: ${fit.reasons.join("; ")}`}`] : []),
  ];
}

function describeLimits(limits: AdapterLimits | string | null): string[] {
  if (limits === null) return [];
  if (typeof limits === "string") return ["adapter       none, so that nothing is said about fitting"];
  const memory = limits.memoryBytes === null ? "" : `, ${mib(limits.memoryBytes)} of memory`;
  const half = limits.half ? "with" : "without";
  return [
    `adapter       ${wrap(`${limits.adapter} ${half} f16: ${mib(limits.tensorBytes)} a binding, ${mib(limits.bufferBytes)} a buffer${memory}`, 14)}`,
  ];
}

function nodeTable(nodes: readonly (ReturnType<typeof describeNode> & Partial<NodeProfile>)[]): string[] {
  if (nodes.length === 0) return [];
  const profiled = nodes[0]!.workgroups !== undefined;
  const rows = nodes.map((node) => [
    node.name,
    node.kernel,
    (node.flops / 1e6).toFixed(2),
    (node.bytes / 1024).toFixed(0),
    ...(profiled ? [String(node.workgroups), node.padding?.toFixed(2) ?? "-"] : []),
    node.place === null ? "-" : `${node.place.arena}:${node.place.offset.toString(16)}`,
    node.shape.join("x"),
  ]);
  return [
    "",
    ...table(["node", "kernel", "MFLOP", "KiB", ...(profiled ? ["groups", "padding"] : []), "place", "output"], rows, {
      gap: 1,
      cut: ["node", "kernel"],
    }),
  ];
}

/** Folds a list at 80 columns under its label. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && indent + line.length + 1 + word.length > 80) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}
