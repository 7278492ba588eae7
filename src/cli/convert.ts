import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { quote } from "../checkpoint/fail.js";
import { type ByteSource, FLOAT_DTYPES, openSource, type TensorInfo } from "../checkpoint/index.js";
import { readSnapshot, type Snapshot, type SnapshotTensor } from "../checkpoint/unpickle/snapshot.js";
import {
  byteLengthOf,
  castElements,
  type OutputDtype,
  type PlannedTensor,
  planSafetensors,
} from "../checkpoint/unpickle/writer.js";
import { bad, counted, NcvsdError } from "../errors.js";
import type { NetworkConfig } from "../networks/edm2/arguments.js";
import { parseConfig } from "../networks/edm2/config.js";
import { validateTensors } from "../networks/edm2/names.js";
import { networkFile } from "../networks/edm2/published.js";
import { onInterrupt } from "../runs/interrupt.js";
import { withProgress } from "../runs/progress.js";
import { WholeFile } from "../runs/whole-file.js";

export interface ConvertOptions {
  /** Type of every tensor in OUT; absent: as in IN (float64, which networks of the reference never have, becomes F32). */
  dtype?: OutputDtype | undefined;
  /** Constructor arguments that IN does not tell, under the reference's names. */
  config?: Readonly<Record<string, unknown>> | undefined;
  /** Which of several networks in IN, by its keys or the prefix of its tensors; absent: the only one, or the only average. */
  select?: string | undefined;
  /** IN is a network of another kind (a VAE, LPIPS, a feature network): its tensors of floats are copied, without a config. */
  tensors?: boolean | undefined;
  /** Overwrite OUT. */
  force?: boolean | undefined;
  /** No progress on stderr. */
  quiet?: boolean | undefined;
}

/** What was found and written. */
export interface ConvertResult {
  input: string;
  output: string;
  /** "other" with the option `tensors`. */
  architecture: "edm2" | "ncvsd" | "other";
  /** Class of the network in the pickle, or "state_dict". */
  className: string;
  /** Keys and prefix of the network in IN, and those of others that are in it and were not taken. */
  selected: string;
  others: readonly string[];
  /** True if, by its name, the network taken is an average of the weights over training. */
  averaged: boolean;
  config: NetworkConfig | null;
  tensors: number;
  parameters: number;
  /** Parameters by type in the output. */
  dtypes: Record<string, number>;
  /** Size of the output. */
  bytes: number;
}

/**
 * Converts a pickled snapshot of the reference to safetensors, tensor by tensor: memory stays at the largest tensor and some
 * buffers. The output appears under its name when it is complete, and not before.
 * @throws NcvsdError BAD_CHECKPOINT if the input is not a network, or not a safe file; BAD_ARGUMENT if the output exists or
 *   cannot be written, or if a value does not fit the wanted type.
 */
export async function convertFile(input: string, output: string, options: ConvertOptions = {}): Promise<ConvertResult> {
  await checkOutput(input, output, options.force ?? false);
  const source = await openSource(networkFile(input));
  try {
    const { snapshot, config, head, order, byteLength } = await planConversion(source, options);
    const progressOptions = {
      total: order.length,
      label: "converting",
      unit: "tensor",
      silent: options.quiet ?? false,
    };
    const file = new WholeFile(output);
    const forget = onInterrupt(() => file.discard());
    try {
      await withProgress(progressOptions, async (progress) => {
        file.write(head);
        for (const [i, tensor] of order.entries()) {
          for await (const piece of convertedChunks(tensor)) file.write(piece);
          progress.update(i + 1);
        }
      });
      if (!options.force && existsSync(output)) throw bad(`${output} has appeared meanwhile`);
      file.finish();
    } finally {
      file.discard();
      forget();
    }
    const dtypes: Record<string, number> = {};
    for (const { dtype, elements } of order) dtypes[dtype] = (dtypes[dtype] ?? 0) + elements;
    return {
      input,
      output,
      architecture: snapshot.architecture,
      className: snapshot.className,
      selected: snapshot.selected,
      others: snapshot.others,
      averaged: snapshot.averaged,
      config,
      tensors: order.length,
      parameters: order.reduce((sum, tensor) => sum + tensor.elements, 0),
      dtypes,
      bytes: byteLength,
    };
  } finally {
    await source.close();
  }
}

/** Everything about a conversion but the tensor values: the head of the file, and the tensors in the order that follows it. */
export async function planConversion(source: ByteSource, options: ConvertOptions = {}) {
  const snapshot = await readSnapshot(source, options.select, options.tensors);
  const { metadata, config } = describe(source.name, snapshot, options.config);
  const stored = [...snapshot.tensors.values()];
  const kept = options.tensors ? stored.filter(({ dtype }) => FLOAT_DTYPES.includes(dtype)) : stored;
  const tensors = kept.map((tensor) => plan(tensor, options.dtype));
  return { snapshot, config, ...planSafetensors(tensors, metadata) };
}

/** The metadata of the contract, from a config that has been checked against the tensors. */
function describe(name: string, snapshot: Snapshot, extra: ConvertOptions["config"]) {
  const tensors = new Map<string, TensorInfo>();
  for (const [key, { dtype, shape, byteLength }] of snapshot.tensors) {
    tensors.set(key, { name: key, dtype, shape, byteLength, file: name });
  }
  const { architecture, arguments: known, complete } = snapshot;
  if (architecture === "other") return { metadata: { format: "pt" }, config: null };
  if (!complete && !extra) {
    throw new NcvsdError(
      "BAD_CHECKPOINT",
      `'${name}' holds tensors without the constructor arguments of their network: give them with --config, as JSON (--config '{}' means the reference's defaults)`,
    );
  }
  const metadata: Record<string, string> = { format: "pt", architecture };
  // What --config says wins: whoever gives it has a reason.
  metadata.config = JSON.stringify({ ...known, ...extra });
  const { config } = parseConfig({ name, metadata, tensors });
  validateTensors({ name, tensors }, architecture, config);
  metadata.config = JSON.stringify(config);
  if (snapshot.encoder) metadata.encoder = JSON.stringify(snapshot.encoder);
  return { metadata, config };
}

/** A tensor on its way from the pickle to the output. */
export interface ConvertedTensor extends PlannedTensor {
  readonly stored: SnapshotTensor;
  readonly elements: number;
}

function plan(stored: SnapshotTensor, wanted: OutputDtype | undefined): ConvertedTensor {
  const { name, shape } = stored;
  if (!FLOAT_DTYPES.includes(stored.dtype))
    throw new NcvsdError("BAD_CHECKPOINT", `tensor '${name}' is ${stored.dtype}`);
  const dtype = wanted ?? (stored.dtype === "F64" ? "F32" : (stored.dtype as OutputDtype));
  const elements = shape.reduce((product, extent) => product * extent, 1);
  return { name, dtype, shape, byteLength: byteLengthOf(dtype, shape), stored, elements };
}

/** The bytes of a tensor as they go into the file. */
export async function* convertedChunks({
  name,
  dtype,
  stored,
  byteLength,
}: ConvertedTensor): AsyncGenerator<Uint8Array> {
  let written = 0;
  for await (const chunk of stored.chunks()) {
    const cast = castElements(chunk, stored.dtype, dtype);
    if (!cast) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `tensor '${name}' (${stored.dtype}) holds values that are too large for ${dtype}: choose another --dtype`,
      );
    }
    yield cast;
    written += cast.length;
  }
  if (written !== byteLength) throw new Error(`tensor '${name}': ${written} bytes instead of ${byteLength}`);
}

async function checkOutput(input: string, output: string, force: boolean): Promise<void> {
  const info = await stat(output).catch(() => undefined);
  if (info?.isDirectory()) throw bad(`${output} is a folder: give the name of the .safetensors file to write`);
  if (info && !info.isFile()) throw bad(`${output} is not a regular file`);
  const from = await stat(input).catch(() => undefined);
  const same = resolve(input) === resolve(output) || (info && from && info.dev === from.dev && info.ino === from.ino);
  if (same) throw bad(`${input} is both input and output: give the output another name`);
  if (info && !force) throw bad(`${output} exists: give another name, or --force to overwrite it`);
  if (!existsSync(dirname(resolve(output)))) throw bad(`the folder of ${output} does not exist: make it first`);
}

const DTYPES: Record<string, OutputDtype> = { f32: "F32", f16: "F16", bf16: "BF16" };

function parseDtype(text: string): OutputDtype {
  const dtype = DTYPES[text.toLowerCase()];
  if (!dtype) throw new NcvsdError("BAD_ARGUMENT", `--dtype ${text} is not one of f32, f16, bf16`);
  return dtype;
}

function parseConfigOption(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const file = existsSync(text) ? `; for a file give --config "$(cat ${text})"` : "";
    throw new NcvsdError("BAD_ARGUMENT", `--config is not JSON: ${(cause as Error).message}${file}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new NcvsdError("BAD_ARGUMENT", "--config is not a JSON object of constructor arguments");
  }
  return value as Record<string, unknown>;
}

function report(result: ConvertResult): string {
  const { config } = result;
  const dtypes = Object.entries(result.dtypes).map(([dtype, n]) => `${n.toLocaleString("en")} ${dtype}`);
  return [
    `architecture  ${result.architecture} (${result.className})`,
    ...(config
      ? [
          `images        ${config.img_channels} x ${config.img_resolution} x ${config.img_resolution}, ${config.label_dim || "no"} classes`,
        ]
      : []),
    `parameters    ${dtypes.join(", ")} in ${counted(result.tensors, "tensor")}`,
    `written       ${result.output} (${result.bytes.toLocaleString("en")} bytes)`,
  ].join("\n");
}

/** Adds the command `convert` to the program. */
export function registerConvert(program: Command): void {
  program
    .command("convert")
    .summary("turn a reference .pkl snapshot into .safetensors without executing anything in it")
    .description(
      "Turns a pickled snapshot of the reference (EDM2 Precond, NCVSD GenerativeDenoiser) into .safetensors with the network's " +
        "arguments in its metadata. The pickle is read as data: nothing in it is imported, called or executed. PyTorch files " +
        "(.pt, .pth) of such a network or of its state_dict are read in the same way.",
    )
    .argument("<in.pkl>", "the snapshot: a file, an address, or the name of a published network")
    .argument("<out.safetensors>", "the file to write; one that exists is only overwritten with --force")
    .option(
      "--dtype <type>",
      "store every tensor as f32, f16 or bf16 (default: each as it is in the snapshot)",
      parseDtype,
    )
    .option(
      "--config <json>",
      "constructor arguments that the file does not tell, for a bare state_dict",
      parseConfigOption,
    )
    .option(
      "--select <name>",
      "which network, if the file holds several: its keys or the prefix of its tensors, as the error lists them " +
        "(default: the only one, or the only average)",
    )
    .option("--tensors", "copy the tensors of a network of another kind as they are: a VAE, LPIPS, a feature network")
    .option("--force", "overwrite the output file")
    .option("--json", "print one JSON object instead of text")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu convert edm2-img64-s-1073741-0.075.pkl edm2-img64-s.safetensors",
        "  ncvsd-gpu convert snapshot.pkl model.safetensors --dtype f16 --force",
      ].join("\n"),
    )
    .action(async (input: string, output: string, options: ConvertOptions & { json?: boolean }) => {
      const result = await convertFile(input, output, { ...options, quiet: options.json });
      if (result.others.length > 0) {
        const others = result.others.slice(0, 8).map((name) => quote(name));
        process.stderr.write(
          `took ${result.averaged ? "the average" : "the network"} ${quote(result.selected)}; ${others.join(", ")} ${others.length === 1 ? "was" : "were"} left out (--select chooses)\n`,
        );
      }
      process.stdout.write(`${options.json ? JSON.stringify(result) : report(result)}\n`);
    });
}
