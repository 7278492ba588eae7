/** `bench --tune`: measures, checks that the network as a whole gains, and only then keeps the choices. */
import { counted, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { matricesRecord } from "../../gpu/matrices.js";
import { RATES_KEY, writtenRates } from "../../gpu/rates.js";
import type { TuningIdentity } from "../../gpu/tuning.js";
import { ENGINE_VERSION, readTuning, tuningFolder } from "../../gpu/tuning-cache.js";
import type { Program } from "../../graph/program.js";
import { relativeError } from "../../graph/run-kernel.js";
import { tuneGraph } from "../../measure/layer.js";
import { median, planNetwork, replayOf, startNetworks } from "../../measure/network.js";
import { copyPeak, fmaPeak, hasTimestamps, nodeTimes } from "../../measure/peaks.js";
import { type TuneRow, tuneNetwork } from "../../measure/tuner.js";
import { writeTuning } from "../../measure/tuning-store.js";
import type { NetworkGraph } from "../../networks/edm2/network.js";
import { version } from "../../runs/package.js";
import { createProgress } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { PAGE, table } from "../../runs/table.js";
import { sweep } from "../../runs/whole-file.js";
import { type EngineOptions, openEngine } from "../parts/engine.js";
import { number } from "./report.js";

export interface TuneFlags extends EngineOptions {
  readonly net: string;
  readonly batch: number;
  /** Turns of the comparison of whole networks. */
  readonly runs: number;
  readonly seconds: number;
  readonly json?: boolean;
}

/** A whole evaluation with the cost models' choices and with the tuned ones, measured in turns. */
export interface Comparison {
  readonly batch: number;
  readonly untunedMs: number;
  readonly tunedMs: number;
  /** How many times as fast, by the least times. */
  readonly gain: number;
  /** The same, the median over the turns. */
  readonly medianGain: number;
  /** ||tuned - untuned|| / ||untuned|| of the results. */
  readonly difference: number;
}

/** A loss of this much at a batch of one is too much, whatever the gain at the batch that was measured. */
const LEAST_GAIN_ALONE = 0.97;

/** Largest difference of the results, by the storage type. */
const LARGEST_DIFFERENCE = { f32: 2e-5, f16: 2e-2, "f16-weights": 2e-2 } as const;

export async function benchTune(flags: TuneFlags): Promise<void> {
  const { net, batch, runs, seconds } = flags;
  const { network } = await planNetwork(net, batch);
  const { gpu, rates } = await openMeasured(flags);
  try {
    const started = performance.now();
    const rows = await measure(gpu, network.graph, flags);
    const spent = (performance.now() - started) / 1000;
    const { name, device, vendor, architecture, driver } = gpu.info;
    const { precision } = gpu;
    const use = { precision, ...matricesRecord(gpu.caps) };
    const identity = { adapter: device, vendor, architecture, driver, engine: ENGINE_VERSION, ...use };
    const choices = merged(readTuning(identity)?.choices ?? new Map(), rows);
    // A choice holds for every batch: at one image it must not cost what it gains at many.
    const batches = batch === 1 ? [1] : [batch, 1];
    const comparisons = matters(rows, choices) ? await compare(gpu, net, batches, runs, choices) : [];
    const verdict = judge(gpu, rows, comparisons);
    const kept = verdict.keep ? choices : without(choices, rows);
    if (rates !== undefined) kept.set(RATES_KEY, rates);
    // What was measured is told even where it cannot be kept.
    let failure: unknown = verdict.error;
    let file: string | undefined;
    try {
      file = keep(identity, kept);
    } catch (cause) {
      failure ??= cause;
    }
    const header = { version, adapter: name, precision, timestamps: hasTimestamps(gpu), net, batch, seconds, spent };
    const stored = file === undefined ? null : { file, choices: kept.size };
    const facts = { ...header, rows, networks: comparisons, kept: verdict.keep, note: verdict.note, stored };
    const lines = flags.json ? [JSON.stringify(facts)] : report(facts);
    process.stdout.write(`${lines.join("\n")}\n`);
    if (failure) throw failure;
  } finally {
    gpu.close();
  }
}

/**
 * A device whose cost models count with the peaks that were measured on it, as those of later runs will: where a cost model's own
 * choice is the fastest, nothing is noted. On a software adapter they count with none.
 */
async function openMeasured(flags: TuneFlags): Promise<{ gpu: Gpu; rates?: string }> {
  const options = { ...flags, tuning: false };
  const gpu = await openEngine(options, new Stopwatch());
  if (gpu.info.software) return { gpu };
  try {
    const [fma, copy] = [await fmaPeak(gpu), await copyPeak(gpu)];
    const rates = writtenRates({ flops: 1e9 * fma.best, bandwidth: 1e9 * copy.best });
    return { gpu: await openEngine(options, new Stopwatch(), new Map([[RATES_KEY, rates]])), rates };
  } finally {
    gpu.close();
  }
}

async function measure(gpu: Gpu, graph: Parameters<typeof tuneNetwork>[1], flags: TuneFlags): Promise<TuneRow[]> {
  let progress: ReturnType<typeof createProgress> | undefined;
  const onProgress = (done: number, total: number) => {
    progress ??= createProgress({ total, label: "tuning", unit: "name", silent: flags.json ?? false });
    progress.update(done);
  };
  const { batch, seconds } = flags;
  return tuneNetwork(gpu, graph, { batch, seconds, nodeTimes, onProgress }).finally(() => progress?.stop());
}

/** Earlier choices, those of other networks among them, with the new ones in place of theirs. */
export function merged(earlier: ReadonlyMap<string, string>, rows: readonly TuneRow[]): Map<string, string> {
  const choices = new Map(earlier);
  for (const { key, choice, own, measured } of rows) {
    if (!measured) continue;
    if (choice === own) choices.delete(key);
    else choices.set(key, choice);
  }
  return choices;
}

/** The choices less all that this network's names say: which of them lost is not known. */
export function without(choices: ReadonlyMap<string, string>, rows: readonly TuneRow[]): Map<string, string> {
  const keys = new Set(rows.map(({ key }) => key));
  return new Map([...choices].filter(([key]) => !keys.has(key)));
}

const matters = (rows: readonly TuneRow[], choices: ReadonlyMap<string, string>) =>
  rows.some(({ measured }) => measured) && rows.some(({ key, own }) => (choices.get(key) ?? own) !== own);

const wrongOwn = (rows: readonly TuneRow[]) =>
  rows.filter(({ own, rejected }) => rejected.some(({ choice, wrong }) => wrong && choice === own));

async function compare(
  gpu: Gpu,
  net: string,
  batches: readonly number[],
  runs: number,
  choices: ReadonlyMap<string, string>,
): Promise<Comparison[]> {
  const networks: NetworkGraph[] = [];
  const { bindingBytes } = gpu;
  const { rates } = gpu.caps;
  for (const batch of batches) {
    const { network: untuned } = await planNetwork(net, batch, { rates, bindingBytes });
    const { network: tuned } = await planNetwork(net, batch, { rates, bindingBytes, tuning: choices });
    tuneGraph(tuned.graph, choices);
    networks.push(untuned, tuned);
  }
  const programs = await startNetworks(gpu, net, networks, new Stopwatch());
  const comparisons: Comparison[] = [];
  for (const [i, batch] of batches.entries()) {
    const [before, after] = [programs[2 * i]!, programs[2 * i + 1]!];
    const [untuned, tuned] = [networks[2 * i]!, networks[2 * i + 1]!];
    const results = [await after.readTensor(tuned.denoised), await before.readTensor(untuned.denoised)] as const;
    comparisons.push({ batch, ...(await inTurns(before, after, runs)), difference: relativeError(...results) });
  }
  return comparisons;
}

/** Whole evaluations by one and the other in turns. */
async function inTurns(before: Program, after: Program, runs: number) {
  const [replayBefore, replayAfter] = [replayOf(before), replayOf(after)];
  const times: { untuned: number; tuned: number }[] = [];
  const msOf = async (replay: typeof replayBefore) => {
    const { gpu: device, wall } = await replay();
    return Number.isNaN(device) ? wall : device;
  };
  await replayBefore();
  await replayAfter();
  for (let run = 0; run < runs; run++) {
    if (run % 2 === 0) {
      const first = await msOf(replayBefore);
      times.push({ untuned: first, tuned: await msOf(replayAfter) });
    } else {
      const first = await msOf(replayAfter);
      times.push({ tuned: first, untuned: await msOf(replayBefore) });
    }
  }
  const untunedMs = Math.min(...times.map((t) => t.untuned));
  const tunedMs = Math.min(...times.map((t) => t.tuned));
  const medianGain = median(times.map((t) => t.untuned / t.tuned));
  return { untunedMs, tunedMs, gain: untunedMs / tunedMs, medianGain };
}

interface Verdict {
  readonly keep: boolean;
  readonly note: string;
  readonly error?: NcvsdError;
}

/** Whether the choices may be used, and why not. @param comparisons the batch that was measured first */
export function judge(
  gpu: Pick<Gpu, "info" | "precision">,
  rows: readonly TuneRow[],
  comparisons: readonly Comparison[],
): Verdict {
  const wrong = wrongOwn(rows);
  if (wrong.length > 0) {
    const names = wrong.map(({ key }) => key).join(", ");
    const note = `${gpu.info.name} computes wrongly what the cost model chooses (${names}): update its driver, or choose another with --adapter.`;
    return { keep: false, note, error: new NcvsdError("NOT_FINITE", note) };
  }
  const [main, alone] = comparisons;
  if (!rows.some(({ measured }) => measured)) return { keep: true, note: "nothing was measured" };
  if (!main) return { keep: true, note: "of what was measured, the cost models' choices are the fastest here" };
  const { gain, medianGain } = main;
  const limit = LARGEST_DIFFERENCE[gpu.precision];
  const difference = Math.max(...comparisons.map((c) => c.difference));
  if (difference > limit) {
    const note = `The tuned network differs from the untuned one by ${difference.toExponential(1)}, more than ${limit}, on ${gpu.info.name}: no choice of it is kept.`;
    return { keep: false, note, error: new NcvsdError("NOT_FINITE", note) };
  }
  if (gain <= 1 || medianGain <= 1)
    return { keep: false, note: "the network as a whole is not faster: nothing of it is kept" };
  if (alone && alone.gain < LEAST_GAIN_ALONE && alone.medianGain < LEAST_GAIN_ALONE) {
    const note = `the network as a whole is slower at batch ${alone.batch}: nothing of it is kept`;
    return { keep: false, note };
  }
  return { keep: true, note: "" };
}

/** Writes the cache where it changes. @returns the file where there is one afterwards */
function keep(identity: TuningIdentity, choices: ReadonlyMap<string, string>): string | undefined {
  // Nothing may change here, and nothing be written: what killed runs left goes all the same.
  sweep(tuningFolder());
  const before = readTuning(identity);
  const same =
    before?.choices.size === choices.size && [...choices].every(([key, value]) => before.choices.get(key) === value);
  if (before && same) return before.file!;
  if (!before && choices.size === 0) return undefined;
  const file = writeTuning(identity, choices);
  return choices.size > 0 ? file : undefined;
}

interface Facts {
  readonly adapter: string;
  readonly precision: string;
  readonly net: string;
  readonly batch: number;
  readonly spent: number;
  readonly rows: readonly TuneRow[];
  readonly networks: readonly Comparison[];
  readonly note: string;
  readonly stored: { readonly file: string; readonly choices: number } | null;
}

const figure = (ms: number | null) => number(ms, ms === null || ms < 100 ? 2 : ms < 1000 ? 1 : 0);

function choices(rows: readonly TuneRow[]): string[] {
  const cells = rows.map(({ key, uses, own, ownMs, choice, ms }) => {
    const before = [key, String(uses), own, figure(ownMs)];
    if (choice === own) return [...before, "the same"];
    const gain = ms !== null && ownMs !== null ? number(ownMs / ms, ownMs / ms < 10 ? 2 : 0) : "";
    return [...before, choice, figure(ms), gain];
  });
  const titles = ["layer or loop", "use", "cost model", "ms", "tuned", "ms", "gain"];
  return table(titles, cells, { ...PAGE, cut: ["layer or loop", "cost model", "tuned"] });
}

/** In 80 columns, paths and reasons excepted. */
export function report({ adapter, precision, net, batch, spent, rows, networks, note, stored }: Facts): string[] {
  const measured = rows.filter((row) => row.measured);
  const missed = rows.length - measured.length;
  const rejected = rows.flatMap(({ key, rejected }) => rejected.map((rejection) => ({ key, ...rejection })));
  return [
    `adapter      ${adapter}, ${precision}`,
    `network      ${net}`,
    `measured     ${measured.length} of ${rows.length} layers and loops at batch ${batch}, ${spent.toFixed(0)} s`,
    ...(missed > 0 ? [`not reached  ${missed}: they keep the choice they had (--seconds gives more time)`] : []),
    "",
    ...choices(measured),
    "ms: all uses together, the least of several runs in turns.",
    ...rejected.map(({ key, choice, reason }) => `rejected     ${key}: ${choice}: ${reason}`),
    "",
    ...networks.flatMap(({ batch, untunedMs, tunedMs, gain, medianGain, difference }) => [
      `evaluation   batch ${batch}: ${untunedMs.toFixed(2)} ms by the cost models, ${tunedMs.toFixed(2)} ms tuned`,
      `  gain       ${gain.toFixed(3)} by the least times, ${medianGain.toFixed(3)} the median of the turns`,
      `  difference ${difference.toExponential(1)} between the results`,
    ]),
    ...(note ? [`note         ${note}`] : []),
    stored ? `stored       ${counted(stored.choices, "choice")} in ${stored.file}` : "stored       nothing",
  ];
}
