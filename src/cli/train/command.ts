import { Dataset } from "../../data/dataset.js";
import { shapeText } from "../../data/inputs.js";
import { bad, counted } from "../../errors.js";
import { fewSamples } from "../../evaluate/frechet.js";
import { type Gpu, mib } from "../../gpu/device.js";
import type { NodeTime } from "../../graph/profile.js";
import { copyPeak, fmaPeak } from "../../measure/peaks.js";
import { Vae } from "../../networks/vae/vae.js";
import { checkOutdir } from "../../runs/output.js";
import { formatDuration, formatRate } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import type { RunPreset } from "../../train/presets.js";
import { profileLines } from "../bench/report.js";
import { openEngine } from "../parts/engine.js";
import type { CommonFlags, StepName } from "./common-flags.js";
import type { LoopResult } from "./loop.js";
import { imageShape } from "./parts.js";

/** Of the bundled feature network. */
const FEATURES = 64;

/** A command that trains, with its data and device. */
export interface Run<F extends CommonFlags, S extends RunPreset> {
  readonly gpu: Gpu;
  readonly flags: F;
  readonly settings: S;
  readonly dataset: Dataset;
  readonly silent: boolean;
  readonly say: (line: string) => void;
}

/**
 * Opens data and device, and closes them whatever happens.
 * @param settingsFor the settings for this data set; throws where they do not go together
 */
export async function withRun<F extends CommonFlags, S extends RunPreset>(
  flags: F,
  settingsFor: (dataset: Dataset) => S,
  go: (run: Run<F, S>) => Promise<void>,
): Promise<void> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => void (silent || process.stderr.write(`${line}\n`));
  if (flags.profile && !flags.dryRun) throw bad("--profile is for --dry-run: it changes what is trained");
  checkOutdir(flags.outdir);
  const dataset = await Dataset.open(flags.data, {
    labels: flags.cond,
    skipBad: flags.skipBad ?? false,
    threads: 1,
    say: (line) => process.stderr.write(`${line}\n`),
  });
  try {
    const settings = settingsFor(dataset);
    const gpu = await openEngine({ ...flags, precision: "f32", tuning: false }, new Stopwatch());
    try {
      // What is wrong with it is told now, and not at the first snapshot.
      if (flags.vae !== undefined) await (await Vae.open(gpu, flags.vae)).close();
      else if (dataset.kind === "latents" && flags.samples > 0)
        say("latents are no pictures: there will be no samples without --vae");
      await go({ gpu, flags, settings, dataset, silent, say });
    } finally {
      gpu.close();
    }
  } finally {
    await dataset.close();
  }
}

/** Whether the samples that are asked for can be made of such data, and their distance measured with the bundled features. */
export function checkSamples({ fd, data, vae }: CommonFlags, dataset: Dataset): void {
  if (vae !== undefined && dataset.kind !== "latents")
    throw bad(`--vae makes pictures of latents, and --data ${data} holds pictures: leave it out`);
  if (fd === 0) return;
  const [channels, height] = imageShape(dataset);
  if (channels !== 1 || height !== 32)
    throw bad(
      `--fd needs grey images of 32x32, which the bundled features are of: --data ${data} has ${shapeText(dataset.shape)}`,
    );
  const few = fewSamples(fd, { dim: FEATURES }, `--fd ${fd}`);
  if (few !== undefined) throw bad(few);
}

/** What a run would take: one step is made and thrown away, and a second one measured. Closes `opened`. */
export async function dryRun(
  { gpu, flags, settings }: Run<CommonFlags, RunPreset>,
  opened: {
    readonly settings: { batchGpu: number; rounds: number };
    step(): Promise<unknown>;
    profile(): Promise<NodeTime[]>;
    close(): void;
  },
  how: { count(): Promise<number>; readonly of?: string; readonly step: StepName; images(rounds: number): string },
): Promise<void> {
  try {
    const parameters = await how.count();
    await opened.step();
    const start = performance.now();
    await opened.step();
    const seconds = (performance.now() - start) / 1000;
    const { batchGpu, rounds } = opened.settings;
    const { batch, duration } = settings;
    const left = (seconds * duration) / batch;
    const gpuBytes = gpu.allocatedBytes;
    const nodes = flags.profile ? await opened.profile() : undefined;
    const [fma, copy] = nodes ? [await fmaPeak(gpu), await copyPeak(gpu)] : [];
    const peaks = { gflopsPerSecond: fma?.best ?? 0, gbPerSecond: copy?.best ?? 0 };
    if (flags.json) {
      const each = how.step === "update" ? { secondsPerUpdate: seconds } : { secondsPerIteration: seconds };
      const facts = {
        parameters,
        batch,
        batchGpu,
        rounds,
        gpuBytes,
        ...each,
        seconds: left,
        ...(nodes && { peaks, nodes }),
      };
      process.stdout.write(`${JSON.stringify(facts)}\n`);
      return;
    }
    const lines = [
      `parameters   ${parameters.toLocaleString("en")}${how.of ?? ""}`,
      `GPU memory   ${mib(gpuBytes)} with rounds of ${counted(batchGpu, "image")}`,
      `${how.step.padEnd(12)} ${seconds.toPrecision(3)} s: ${counted(batch, "image")} ${how.images(rounds)}, ${formatRate(batch / seconds, "image")}`,
      `the run      ${formatDuration(left)} for ${duration.toLocaleString("en")} images, without snapshots`,
      ...(nodes ? profileLines(nodes, peaks) : []),
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  } finally {
    opened.close();
  }
}

/** What a run leaves to say. */
export function finish(
  { flags, say }: Run<CommonFlags, RunPreset>,
  { images, loss, files, stopped }: LoopResult,
): void {
  if (flags.json) process.stdout.write(`${JSON.stringify({ outdir: flags.outdir, images, loss, files })}\n`);
  else process.stdout.write(`${files.length > 0 ? files.join("\n") : flags.outdir}\n`);
  if (stopped === undefined) return;
  say(`Stopped after ${counted(images, "image")}; the same command goes on from there.`);
  process.exitCode = stopped;
}
