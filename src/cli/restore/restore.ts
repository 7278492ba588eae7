import { basename, join } from "node:path";
import type { Command } from "commander";
import { type Input, readInputs } from "../../data/inputs.js";
import { counted, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { Model } from "../../networks/edm2/model.js";
import { Lpips } from "../../networks/features/lpips.js";
import { volume } from "../../operators/check.js";
import type { Operator } from "../../operators/operator.js";
import type { RestoreTask } from "../../operators/tasks.js";
import { parseClass } from "../../runs/labels.js";
import { canonical, decidingOptions, type OptionValue } from "../../runs/origin.js";
import { checkOutdir } from "../../runs/output.js";
import { bundledCheckpoint, packageRoot, version } from "../../runs/package.js";
import { tell } from "../../runs/progress.js";
import { deviceOptions, tuningRecord } from "../../runs/run-record.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import type { Settings } from "../../sample/samplers.js";
import { defaultSampler, samplerSettings, type TaskSampler } from "../../sample/task-settings.js";
import { dryRun, outline, tellDryRun } from "../parts/dry-run.js";
import { batchFor, loadNetwork, openEngine, tuningLine } from "../parts/engine.js";
import { ms } from "../sample.js";
import { addRestoreOptions, type RestoreFlags } from "./flags.js";
import { summarise, summaryText } from "./report.js";
import { type RestoreJob, restore } from "./run.js";
import { inFlags, parseSampler, parseSettings } from "./sampler-flags.js";
import { openTask, withOwnOperator } from "./task.js";
import { parseTaskFlags } from "./task-flags.js";

/** Held-out images that come with the checkpoint, and how many of them a run without --data takes. */
const bundledImages = join(packageRoot, "weights", "fashion32-test64.safetensors");
const BUNDLED_COUNT = 10;

export function registerRestore(program: Command): void {
  const command = program
    .command("restore")
    .summary("solve an inverse problem")
    .description(
      "Restores images from degraded measurements with a network as prior: an NCVSD network (by PnP-GD, plug-and-play generative denoising, or others) or an EDM2 teacher. " +
        "With --data, clean images are measured first and the results compared with them; with --measurement, real measurements are solved. " +
        "Images that are there already and belong to the same options are kept.",
    );
  addRestoreOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu restore --task box_inpainting --outdir out/box",
        "  ncvsd-gpu restore --task super_resolution --data photos --net ffhq.safetensors",
        "  ncvsd-gpu restore --task motion_deblur_circ --measurement blurred.png \\",
        "    --kernel kernel.png --sigma-y 0.02",
        "  ncvsd-gpu restore --task super_resolution --net edm2-ffhq256-xs --sampler daps",
        "  ncvsd-gpu restore --operator hdr.js --beta 0.002",
      ].join("\n"),
    )
    .action(async (flags: RestoreFlags) => {
      const watch = new Stopwatch();
      parseTaskFlags(flags);
      const sampler = parseSampler(flags);
      if (sampler) parseSettings(flags, sampler);
      if (flags.data !== undefined && flags.measurement !== undefined)
        throw new NcvsdError(
          "BAD_ARGUMENT",
          "--data and --measurement exclude each other: give clean images or measurements",
        );
      checkOutdir(flags.outdir);
      const gpu = await openEngine(flags, watch);
      try {
        await withOwnOperator(flags.operator, () => runRestore(gpu, flags, watch));
      } finally {
        gpu.close();
      }
    });
}

async function runRestore(gpu: Gpu, flags: RestoreFlags, watch: Stopwatch): Promise<void> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => {
    if (!silent) process.stderr.write(`${line}\n`);
  };
  const net = flags.net ?? bundledCheckpoint;
  if (flags.dryRun) {
    const model = await outline(gpu, net, flags, silent);
    const task = await openTask(gpu, flags, model.shape);
    const inputs = await readTaskInputs(flags, task, model);
    const { evaluations, derivatives } = chooseSampler(model, task, flags);
    const images = inputs.length * flags.runs;
    tellDryRun([await dryRun(gpu, model, { images, batch: flags.batch, evaluations, derivatives })], flags.json);
    return;
  }
  const model = await loadNetwork(gpu, net, watch, silent, flags);
  const checkpoint = basename(model.checkpoint.name);
  const task = await openTask(gpu, flags, model.shape);
  const inputs = await readTaskInputs(flags, task, model);
  const job = await makeJob(gpu, model, task, inputs, flags, silent);
  watch.lap("inputs");
  const { evaluations: nfe, derivatives } = job.sampler;
  say(`${gpu.info.name}: ${checkpoint}, ${task.name} (${task.description})`);
  for (const note of task.notes) say(note);
  const cost = `${counted(nfe, "evaluation")}${derivatives > 0 ? ` and ${counted(derivatives, "derivative")}` : ""}`;
  say(
    `${job.sampler.title}: ${counted(inputs.length, "image")}, ${counted(flags.runs, "sample")} each, ${cost} a sample`,
  );
  const { results, made, kept, seconds } = await restore(job);
  watch.lap("restoring");
  if (flags.json) {
    const summary = summarise(job.head, results);
    process.stdout.write(
      `${JSON.stringify({ task: task.name, outdir: job.outdir, made, kept, seconds, nfe, runs: flags.runs, summary, adapter: gpu.info.name, startup: watch.parts })}\n`,
    );
    return;
  }
  if (kept > 0)
    say(`kept ${counted(kept, "image")} that ${kept === 1 ? "was" : "were"} there (--force makes them anew)`);
  if (made > 0)
    say(`made ${counted(made, "image")} in ${seconds.toFixed(1)} s: ${ms(seconds / made / flags.runs)} a sample`);
  const capped = results.flatMap(({ samples }) => samples.map((sample) => sample.capped ?? 0));
  if (capped.some((levels) => levels > 0))
    say(
      `likelihood steps by conjugate gradients: up to ${Math.max(...capped)} of a sample stopped at the cap (--cg-iterations); high levels hardly matter`,
    );
  if (flags.verbose) say(`${tuningLine(gpu)}\ntimes: ${watch}`);
  say(summaryText(job.head, results));
  process.stdout.write(`${job.outdir}\n`);
}

async function readTaskInputs(flags: RestoreFlags, task: RestoreTask, model: Model): Promise<Input[]> {
  const { operator, scale } = task;
  if (flags.measurement !== undefined) {
    const expected = { shape: operator.measurementShape, what: "measurements", whose: task.name, scale } as const;
    const read = await readInputs(flags.measurement, { ...expected, range: flags.range, say: tell }, flags.images);
    return inPictureRange(read, operator);
  }
  const expected = {
    shape: model.shape,
    what: "images",
    whose: `the checkpoint ${model.checkpoint.name}`,
    range: flags.range,
    fit: flags.fit,
    say: tell,
  } as const;
  if (flags.data !== undefined) return readInputs(flags.data, expected, flags.images);
  return readInputs(bundledImages, expected, flags.images ?? Array.from({ length: BUNDLED_COUNT }, (_, i) => i));
}

/**
 * Measurements that are linear in a picture of black b and white w, brought to those of a picture of -1 and 1:
 * A(2 (x - b) / (w - b) - 1) = 2 y / (w - b) - ((w + b) / (w - b)) A(1).
 */
async function inPictureRange(inputs: readonly Input[], operator: Operator): Promise<Input[]> {
  if (inputs.every(({ range }) => !range)) return [...inputs];
  const ones = await operator.forward(new Float32Array(volume(operator.shape)).fill(1));
  return inputs.map((input) => {
    if (!input.range) return input;
    const [black, white] = input.range;
    const [scale, offset] = [2 / (white - black), (white + black) / (white - black)];
    return { ...input, values: input.values.map((v, i) => scale * v - offset * ones[i]!) };
  });
}

/** One class per image (-1: none); undefined for an unconditional network. */
function labelsOf(flags: RestoreFlags, inputs: readonly Input[], model: Model): number[] | undefined {
  const { labelDim, labels } = model;
  if (flags.class !== undefined) {
    const asked = parseClass(flags.class, { labelDim, labels });
    return inputs.map(() => asked);
  }
  if (flags.labels !== "file") return labelDim === 0 ? undefined : inputs.map(() => -1);
  return inputs.map(({ name, label }) => {
    if (label !== undefined && label >= 0 && label < labelDim) return label;
    throw new NcvsdError(
      "BAD_ARGUMENT",
      labelDim === 0
        ? "--labels file: this checkpoint has no classes (label_dim is 0); leave the option out"
        : `--labels file: the image ${name} has no class from 0 to ${labelDim - 1} beside it (a tensor \`labels\` in a safetensors file); name one with --class`,
    );
  });
}

/** Standard deviation of the measurement noise: the task's, unless it is said. */
const noiseOf = ({ settings }: RestoreTask, { sigmaY }: RestoreFlags) => sigmaY ?? settings.paper.sigmaY;

/** The sampler that the command line names, or the default one, with its options' settings and the task's. */
function chooseSampler(model: Model, task: RestoreTask, flags: RestoreFlags): TaskSampler {
  const name = parseSampler(flags) ?? defaultSampler(model, task);
  const given: Settings = parseSettings(flags, name);
  const { settings: of } = flags;
  const sigmaY = noiseOf(task, flags);
  try {
    return samplerSettings(task, model, name, { given, sigmaY, ...(of === undefined ? {} : { of }) });
  } catch (error) {
    if (!(error instanceof NcvsdError)) throw error;
    throw new NcvsdError(error.code, inFlags(error.message, name), { cause: error });
  }
}

async function makeJob(
  gpu: Gpu,
  model: Model,
  task: RestoreTask,
  inputs: readonly Input[],
  flags: RestoreFlags,
  silent: boolean,
): Promise<RestoreJob> {
  const { seed, runs } = flags;
  const sigmaY = noiseOf(task, flags);
  const sampler = chooseSampler(model, task, flags);
  const simulated = flags.measurement === undefined;
  if (flags.lpips !== undefined && !simulated)
    throw new NcvsdError(
      "BAD_ARGUMENT",
      "--lpips compares with the truth, which --measurement does not have: leave it out",
    );
  const lpips = flags.lpips === undefined ? undefined : await Lpips.open(gpu, flags.lpips, flags.lpipsPooling);
  const options = {
    command: "restore",
    task: task.name,
    ...task.options,
    simulated,
    sigmaY,
    seed,
    runs,
    sampler: sampler.name,
    settings: sampler.settings as OptionValue,
    ...deviceOptions(gpu),
    ...(lpips ? { lpips: await lpips.sha256(), lpipsPooling: flags.lpipsPooling } : {}),
  };
  return {
    model,
    task,
    inputs,
    simulated,
    labels: labelsOf(flags, inputs, model),
    sigmaY,
    ...(lpips ? { lpips } : {}),
    sampler,
    seed,
    runs,
    batch: batchFor(model, flags.batch, inputs.length * runs),
    options,
    head: {
      task: task.name,
      description: task.description,
      notes: task.notes,
      sigmaY,
      noise: task.noise === "counts" ? "noise of counts" : `noise ${sigmaY}`,
      sampler: { name: sampler.name, title: sampler.title, settings: canonical(sampler.settings as OptionValue) },
      options: decidingOptions(options),
      version,
      command: ["ncvsd-gpu", ...process.argv.slice(2)],
      adapter: gpu.info.name,
      tuning: tuningRecord(gpu),
      checkpoint: { name: model.checkpoint.name, sha256: await model.checkpoint.sha256() },
    },
    outdir: flags.outdir,
    force: flags.force ?? false,
    silent,
    debug: flags.verbose ?? false,
  };
}
