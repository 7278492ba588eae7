import { type Command, Option } from "commander";
import { counted, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { measureKernels } from "../../measure/kernels.js";
import { measureNetwork, planNetwork, startNetwork } from "../../measure/network.js";
import { copyPeak, fmaPeak, hasTimestamps } from "../../measure/peaks.js";
import { parseInteger, parseNumber } from "../../runs/args.js";
import { bundledCheckpoint, version } from "../../runs/package.js";
import { tuningRecord } from "../../runs/run-record.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { writeAtomic } from "../../runs/whole-file.js";
import {
  ADAPTER_HELP,
  type EngineOptions,
  NO_TUNING_HELP,
  openEngine,
  PRECISION_HELP,
  TENSOR_CORES,
  TENSOR_CORES_HELP,
} from "../parts/engine.js";
import { NET_HELP } from "../parts/published.js";
import { benchChoices } from "./choices.js";
import {
  chromeTrace,
  type Header,
  headerLines,
  kernelLines,
  kernelRows,
  networkLines,
  profileLines,
  profileRows,
} from "./report.js";
import { benchTune } from "./tune.js";

interface BenchFlags extends EngineOptions {
  net?: string;
  batch: number;
  runs: number;
  kernels?: boolean;
  profile?: boolean;
  trace?: string;
  tune?: boolean;
  seconds?: number;
  list?: boolean;
  clear?: boolean;
  json?: boolean;
}

/** What --kernels has no use for. */
const NETWORK_FLAGS = ["net", "batch", "profile", "trace"];

export function registerBench(program: Command): void {
  program
    .command("bench")
    .summary("measure a network or the kernels on this adapter")
    .description(
      "Measures the evaluations of a network, or every kernel by itself, beside the adapter's own multiply-add and copy peaks of " +
        "the same run. Times are those of the GPU's clock where the adapter has timestamp queries.",
    )
    .option("--net <file>", NET_HELP)
    .option(
      "--batch <n>",
      "images per evaluation",
      (t: string) => parseInteger(t, "--batch", { min: 1, max: 65536 }),
      16,
    )
    .option("--runs <n>", "measurements", (t: string) => parseInteger(t, "--runs", { min: 1, max: 10000 }), 10)
    .addOption(
      new Option("--kernels", "every kernel on its largest test case, checked first, instead of a network").conflicts(
        NETWORK_FLAGS,
      ),
    )
    .addOption(
      new Option(
        "--tune",
        "measure what else fits each layer and keep the fastest for this adapter, driver and version",
      ).conflicts(["kernels", "profile", "trace"]),
    )
    .option("--seconds <n>", "time for --tune (default: 60)", (t: string) =>
      parseNumber(t, "--seconds", { above: 0, max: 86400 }),
    )
    .option("--list", "with --tune: measure nothing, list the choices that are kept")
    .addOption(
      new Option("--clear", "with --tune: measure nothing, remove the choices that are kept").conflicts("list"),
    )
    .option("--no-tuning", NO_TUNING_HELP)
    .option("--profile", "list the nodes: time, rates, share, nearness to the roofline")
    .option("--trace <file>", "write one evaluation's timeline of GPU and host for Chrome's trace viewer (JSON)")
    .option("--force", "replace a file that is there, whoever made it")
    .option("--adapter <name>", ADAPTER_HELP)
    .addOption(new Option("--precision <type>", PRECISION_HELP).default("f32"))
    .addOption(new Option("--tensor-cores <when>", TENSOR_CORES_HELP).choices(TENSOR_CORES))
    .option("--json", "print one JSON object on stdout")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu bench",
        "  ncvsd-gpu bench --batch 1 --profile --trace trace.json",
        "  ncvsd-gpu bench --kernels --precision f16 --json",
        "  ncvsd-gpu bench --tune --net ffhq.safetensors --batch 4 --seconds 300",
        "  ncvsd-gpu bench --tune --list",
      ].join("\n"),
    )
    .action((flags: BenchFlags) => {
      if (flags.tune && flags.tuning === false)
        throw new NcvsdError(
          "BAD_ARGUMENT",
          "--tune makes the choices that --no-tuning leaves unused: take one of them",
        );
      if ((flags.list || flags.clear) && !flags.tune)
        throw new NcvsdError(
          "BAD_ARGUMENT",
          "--list and --clear are for the choices of --tune: say bench --tune --list",
        );
      if (flags.list || flags.clear) return benchChoices(flags);
      if (flags.tune) return benchTune({ ...flags, net: flags.net ?? bundledCheckpoint, seconds: flags.seconds ?? 60 });
      if (flags.seconds !== undefined) throw new NcvsdError("BAD_ARGUMENT", "--seconds is for --tune: leave it out");
      return flags.kernels ? benchKernels(flags) : benchNetwork(flags);
    });
}

async function benchNetwork(flags: BenchFlags): Promise<void> {
  const { batch, runs } = flags;
  const net = flags.net ?? bundledCheckpoint;
  const watch = new Stopwatch();
  watch.parts["start of Node"] = performance.now() / 1000;
  const { network: untuned, flops } = await planNetwork(net, batch);
  watch.lap("plan");
  const gpu = await openEngine(flags, watch);
  try {
    const { bindingBytes } = gpu;
    const { tuning, rates } = gpu.caps;
    const known = tuning !== undefined || rates !== undefined;
    const network = known ? (await planNetwork(net, batch, { tuning, rates, bindingBytes })).network : untuned;
    const program = await startNetwork(gpu, net, network, watch);
    const [fma, copy] = [await fmaPeak(gpu), await copyPeak(gpu)];
    const times = await measureNetwork(program, { net, batch, flops, runs }, [fma, copy]);
    const header = headerOf(gpu, fma.best, copy.best);
    const { nodes, timeline, ...figures } = times;
    const shareOfPeak = times.gflopsPerSecond / header.peaks.gflopsPerSecond;
    const facts = { version, ...figures, shareOfPeak, tuning: tuningRecord(gpu), startup: watch.parts };
    if (flags.trace !== undefined) writeAtomic(flags.trace, chromeTrace(timeline, header, facts));
    if (flags.json) {
      const profile = { nodes: profileRows(nodes, header.peaks), kernels: kernelRows(nodes, header.peaks) };
      print([JSON.stringify({ ...header, ...facts, ...(flags.profile ? { profile } : {}) })]);
    } else {
      print([
        ...headerLines(header),
        ...(gpu.tuning
          ? [`tuned        ${counted(gpu.tuning.choices.size, "choice")} in use (--no-tuning: without)`]
          : []),
        ...networkLines(times, header.peaks, watch.parts),
        ...(flags.profile ? profileLines(nodes, header.peaks) : []),
      ]);
    }
  } finally {
    gpu.close();
  }
}

async function benchKernels(flags: BenchFlags): Promise<void> {
  const gpu = await openEngine(flags, new Stopwatch());
  try {
    const [fma, copy] = [await fmaPeak(gpu), await copyPeak(gpu)];
    const rows = await measureKernels(gpu, flags.runs, [fma, copy]);
    const header = headerOf(gpu, fma.best, copy.best);
    if (flags.json) print([JSON.stringify({ version, ...header, runs: flags.runs, kernels: rows })]);
    else print([...headerLines(header), ...kernelLines(rows)]);
    const wrong = rows.filter((row) => !row.ok).map((row) => row.kernel);
    if (wrong.length === 0) return;
    throw new NcvsdError(
      "NOT_FINITE",
      `${counted(wrong.length, "kernel")} compute${wrong.length === 1 ? "s" : ""} wrongly on ${gpu.info.name}, not timed (${wrong.join(", ")}): update its driver, or choose another with --adapter.`,
    );
  } finally {
    gpu.close();
  }
}

function headerOf(gpu: Gpu, gflopsPerSecond: number, gbPerSecond: number): Header {
  const { info, precision } = gpu;
  return { adapter: info.name, precision, timestamps: hasTimestamps(gpu), peaks: { gflopsPerSecond, gbPerSecond } };
}

const print = (lines: readonly string[]) => void process.stdout.write(`${lines.join("\n")}\n`);
