import type { Command } from "commander";
import { openCheckpoint } from "../checkpoint/index.js";
import { NcvsdError } from "../errors.js";
import type { Precision } from "../gpu/contract.js";
import { mib } from "../gpu/device.js";
import { elementBytes, type Node } from "../graph/graph.js";
import { type MemoryPlan, planMemory } from "../graph/plan.js";
import { type Architecture, type NetworkConfig, parseConfig } from "../model/config.js";
import { validateTensors } from "../model/names.js";
import { buildNetwork } from "../model/network.js";
import { parseInteger, parsePrecision } from "./args.js";
import { bundledCheckpoint } from "./package.js";

interface InspectFlags {
  batch: number;
  precision: Precision;
  plan?: boolean;
  json?: boolean;
}

export function registerInspect(program: Command): void {
  program
    .command("inspect")
    .summary("print what a checkpoint holds and what an evaluation costs")
    .description(
      "Prints what a checkpoint holds: architecture, config, parameters, FLOPs and peak memory per evaluation. Needs no GPU.",
    )
    .argument("[file]", "checkpoint, .safetensors or the index of its shards", bundledCheckpoint)
    .option(
      "--batch <n>",
      "images per evaluation",
      (t: string) => parseInteger(t, "--batch", { min: 1, max: 65536 }),
      1,
    )
    .option(
      "--precision <type>",
      "storage of weights and activations: f32 or f16",
      (t: string) => parsePrecision(t),
      "f32",
    )
    .option("--plan", "list the nodes of the plan: kernel, shape, FLOPs, bytes, place in memory")
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", "\nExamples:\n  ncvsd-gpu inspect\n  ncvsd-gpu inspect model.safetensors --batch 16 --plan")
    .action(async (file: string, flags: InspectFlags) => {
      const checkpoint = await openCheckpoint(file);
      try {
        const { architecture, config, labels } = parseConfig(checkpoint);
        validateTensors(checkpoint, architecture, config);
        const { graph } = networkAt(flags.batch, architecture, config);
        const plan = planMemory(graph, flags.precision);
        const tensors = [...checkpoint.tensors.values()];
        const elements = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
        const dtypes: Record<string, number> = {};
        for (const t of tensors) dtypes[t.dtype] = (dtypes[t.dtype] ?? 0) + elements(t.shape);
        const parameters = tensors.reduce((sum, t) => sum + elements(t.shape), 0);
        const nodes = graph.nodes.map((node) => describeNode(node, plan));
        const facts = {
          file,
          architecture,
          config,
          labels: labels ?? null,
          tensors: tensors.length,
          parameters,
          dtypes,
          sha256: await checkpoint.sha256(),
          batch: flags.batch,
          precision: flags.precision,
          nodes: graph.nodes.length,
          flops: plan.flops,
          bytesMoved: plan.traffic,
          weightBytes: plan.constantBytes,
          activationBytes: plan.activationBytes,
          activationLowerBound: plan.lowerBound,
          arenas: plan.arenas.length,
          externalBytes: plan.externalBytes,
          peakBytes: plan.constantBytes + plan.activationBytes + plan.externalBytes,
          ...(flags.plan ? { plan: nodes } : {}),
        };
        process.stdout.write(`${flags.json ? JSON.stringify(facts) : report(facts, flags.plan ? nodes : [])}\n`);
      } finally {
        await checkpoint.close();
      }
    });
}

/** @throws NcvsdError BAD_ARGUMENT for a batch whose tensors no kernel can index. */
function networkAt(batch: number, architecture: Architecture, config: NetworkConfig) {
  try {
    return buildNetwork(architecture, config, batch);
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
  const { flops, bytes } = node.kernel.cost(node.params as never, elementBytes("act", plan.precision));
  const out = Object.values(node.writes)[0]!;
  return {
    name: node.name,
    kernel: node.kernel.name,
    shape: out.shape,
    flops,
    bytes,
    place: plan.places.get(out.id) ?? null,
  };
}

type Facts = Record<string, unknown> & {
  config: object;
  dtypes: Record<string, number>;
  labels: readonly string[] | null;
};

function report(facts: Facts, nodes: readonly ReturnType<typeof describeNode>[]): string {
  const n = (key: string) => facts[key] as number;
  const types = Object.entries(facts.dtypes).map(([dtype, count]) => `${count.toLocaleString("en")} ${dtype}`);
  const lines = [
    `file          ${facts.file}`,
    `sha256        ${facts.sha256}`,
    `architecture  ${facts.architecture}`,
    `parameters    ${n("parameters").toLocaleString("en")} in ${facts.tensors} tensors (${types.join(", ")})`,
    ...(facts.labels ? [`labels        ${wrap(facts.labels.join(", "), 14)}`] : []),
    "config",
    ...Object.entries(facts.config).map(([key, value]) => `  ${key.padEnd(20)} ${JSON.stringify(value)}`),
    `evaluation at batch ${facts.batch}, ${facts.precision}`,
    `  nodes                ${facts.nodes}`,
    `  FLOPs                ${(n("flops") / 1e9).toFixed(3)} G`,
    `  bytes moved          ${mib(n("bytesMoved"))}`,
    `  weights              ${mib(n("weightBytes"))}`,
    `  activations          ${mib(n("activationBytes"))} in ${facts.arenas} buffers (no plan could do with less than ${mib(n("activationLowerBound"))})`,
    `  inputs and outputs   ${mib(n("externalBytes"))}`,
    `  peak memory          ${mib(n("peakBytes"))}`,
  ];
  if (nodes.length > 0) {
    const width = Math.max(...nodes.map((node) => node.name.length));
    lines.push(
      "",
      `${"node".padEnd(width)}  kernel       ${"MFLOP".padStart(9)} ${"KiB".padStart(9)}  ${"place".padEnd(10)} output`,
    );
    for (const node of nodes) {
      const place = node.place === null ? "-" : `${node.place.arena}:${node.place.offset.toString(16)}`;
      const figures = `${(node.flops / 1e6).toFixed(2).padStart(9)} ${(node.bytes / 1024).toFixed(0).padStart(9)}`;
      lines.push(
        `${node.name.padEnd(width)}  ${node.kernel.padEnd(12)} ${figures}  ${place.padEnd(10)} ${node.shape.join("x")}`,
      );
    }
  }
  return lines.join("\n");
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
