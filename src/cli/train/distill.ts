import { basename, join } from "node:path";
import type { Command } from "commander";
import type { Dataset } from "../../data/dataset.js";
import { shapeText } from "../../data/inputs.js";
import { counted } from "../../errors.js";
import { LATENT_SCALE } from "../../networks/vae/latents.js";
import { claim } from "../../runs/claim.js";
import { prepareOutdir } from "../../runs/output.js";
import { batchesOf } from "../../train/dataset-batches.js";
import { type Distillation, openDistillation } from "../../train/distillation.js";
import type { DistillationPreset } from "../../train/distillation-presets.js";
import { DISTILLED, type DistillationOptions } from "../../train/distillation-settings.js";
import { findState, sweepState } from "../../train/state.js";
import { checkSamples, dryRun, finish, type Run as TrainingRun, withRun } from "./command.js";
import { addDistillOptions, type DistillFlags, distillSettings } from "./distill-flags.js";
import { stateDir, type Trainee, trainingLoop } from "./loop.js";
import { classNames, classText, guarded, imageShape, largestRound, readTeacher } from "./parts.js";
import { sampleSnapshot } from "./samples.js";

export function registerDistill(program: Command): void {
  const command = program
    .command("distill")
    .summary("distil a teacher into a few-step generator (NCVSD)")
    .description(
      "Distils an EDM2 teacher into a generative denoiser by Noise Conditional Variational Score Distillation. The same command goes on " +
        "from the newest state in --outdir; rates and the adversarial weight may change then. Ctrl-C leaves a state.",
    );
  addDistillOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu distill --teacher run/network-snapshot-0001048-0.050.safetensors \\",
        "    --data photos.zip --outdir distilled",
        "  ncvsd-gpu sample --net distilled/snapshot-0001048-0.050.safetensors --ts 10",
        "  ncvsd-gpu distill --teacher edm2-img64-s-fid --data imagenet64.zip \\",
        "    --preset ncvsd-img64-s --outdir distilled --dry-run",
        "The preset fashion32 is for small networks and batches of some tens of images,",
        "ncvsd-... are the paper's.",
      ].join("\n"),
    )
    .action(distill);
}

type Run = TrainingRun<DistillFlags, DistillationPreset>;

async function distill(flags: DistillFlags): Promise<void> {
  const settings = distillSettings(flags);
  const settingsFor = (dataset: Dataset) => {
    checkSamples(flags, dataset);
    return settings;
  };
  await withRun(flags, settingsFor, async (run) => {
    if (!flags.dryRun) return distilAndReport(run);
    const { distillation } = await open(run, undefined);
    const count = () => parameterCount(distillation);
    const images = () => "for each network";
    await dryRun(run, distillation, { count, of: " in three networks", step: "iteration", images });
  });
}

interface Opened {
  readonly distillation: Distillation;
  /** Names of the classes, of the data or of the teacher. */
  readonly labels: readonly string[] | undefined;
}

async function open(run: Run, dir: string | undefined): Promise<Opened> {
  const { gpu, flags, settings, dataset, say } = run;
  const found = dir === undefined ? undefined : await findState(dir, "distillation");
  const teacher = await readTeacher("--teacher", flags.teacher, run);
  const { config } = teacher;
  const shape = imageShape(dataset);
  say(`${gpu.info.name}: ${counted(dataset.length, "image")} of ${shapeText(dataset.shape)}, ${classText(dataset)}`);
  const labelDim = config.label_dim;
  const feed = await batchesOf(dataset, { seed: flags.seed, shape, labelDim, latents: LATENT_SCALE });
  const { batch, gamma, gLrScaling, dLrScaling, ganLossScaling, ganWarmup, pMean, pStd, lossScaling } = settings;
  const { seed, ema: emaStds, dropout = 0, recompute = false } = flags;
  const mixing = mixingWeights(config.channel_mult.length, config.num_blocks, flags.ctrlInit);
  const options: DistillationOptions = {
    ...{ teacher: teacher.tensors, config: { ...config, dropout }, batch, gamma, gLrScaling, dLrScaling },
    ...{ ganLossScaling, ganWarmupKimg: ganWarmup / 1000, pMean, pStd, lossScaling, seed, emaStds, recompute },
    precision: flags.precision,
    lr: { refLr: settings.refLr, refBatches: settings.refBatches, rampupMimg: settings.rampup / 1e6 },
    ...(flags.ctrlLr !== undefined && { ctrlLrScaling: flags.ctrlLr }),
    networks: mixing ? { generator: mixing, score: mixing } : {},
    data: guarded(feed, flags.skipBad ?? false),
    ...(found && dir !== undefined && { resume: dir }),
  };
  const at = (batchGpu: number) => openDistillation(gpu, { ...options, batchGpu });
  const distillation = await largestRound({ gpu, batch, wished: flags.batchGpu, stored: found?.settings.batchGpu }, at);
  return { distillation, labels: classNames(dataset) ?? teacher.labels };
}

/** Mixing weights to begin with, one for each output of the encoder; undefined: those of the paper, 0. */
function mixingWeights(levels: number, blocks: number, value = 0): Map<string, Float32Array> | undefined {
  if (value === 0) return undefined;
  return new Map([
    ["dec.additional_x_weight", Float32Array.of(value)],
    ["dec.additional_skips_weight", new Float32Array(levels * (blocks + 1)).fill(value)],
  ]);
}

async function parameterCount(distillation: Distillation): Promise<number> {
  let count = 0;
  for (const net of DISTILLED)
    for (const values of (await distillation.gradients(net)).values()) count += values.length;
  return count;
}

async function traineeOf({ gpu, flags, settings, dataset }: Run, { distillation, labels }: Opened): Promise<Trainee> {
  const { batch, batchGpu } = distillation.settings;
  const { samples: count, fd, vae } = flags;
  return {
    get images() {
      return distillation.images;
    },
    batch,
    parameters: await parameterCount(distillation),
    async step() {
      const { losses, lr } = await distillation.step();
      const { dsm_loss: score = 0, vsd_loss: loss = 0, real_loss = 0, fake_loss = 0, gan_loss } = losses;
      const figures = { loss, score, critic: (real_loss + fake_loss) / 2 };
      return { ...figures, ...(gan_loss !== undefined && { adversarial: gan_loss }), lr };
    },
    async zeroedGradients() {
      return Object.values(await distillation.zeroedGradients()).reduce((a, b) => a + b, 0);
    },
    save: (dir) => distillation.save(dir),
    async snapshots() {
      const all = [];
      for (const std of flags.ema) all.push(await distillation.snapshot(std, labels ? { labels } : {}));
      return all;
    },
    async sample({ bytes }) {
      if (dataset.kind === "latents" && vae === undefined) return {};
      const plan = { count, fd, vae, steps: settings.ts, batch: Math.min(batchGpu, 16) };
      return sampleSnapshot(gpu, bytes, plan, dataset);
    },
    async remark() {
      const { pinned, all } = await pinnedWeights(distillation);
      return pinned === 0
        ? undefined
        : `${pinned} of ${all} mixing weights of the condition are at 0: their branch is off until its gradient turns (see --ctrl-init)`;
    },
  };
}

/** Mixing weights that the clip holds at 0. */
async function pinnedWeights(distillation: Distillation): Promise<{ pinned: number; all: number }> {
  const stored = await distillation.parameters("generator");
  const weights = ["dec.additional_x_weight", "dec.additional_skips_weight"].flatMap((name) => [...stored.get(name)!]);
  return { pinned: weights.filter((weight) => weight <= 0).length, all: weights.length };
}

async function distilAndReport(run: Run): Promise<void> {
  const { flags, settings, say, silent } = run;
  const outdir = prepareOutdir(flags.outdir);
  const release = claim(join(flags.outdir, "state"));
  let distillation: Distillation | undefined;
  try {
    const opened = await open(run, flags.force ? undefined : stateDir(flags.outdir));
    ({ distillation } = opened);
    await sweepState(stateDir(flags.outdir));
    const resumed = distillation.images > 0;
    if (resumed) say(`going on after ${counted(distillation.images, "image")} (--force begins anew)`);
    for (const change of distillation.changes) say(`from here on ${change}`);
    const trainee = await traineeOf(run, opened);
    say(`${trainee.parameters.toLocaleString("en")} parameters in three networks`);
    const { duration, status, snapshot, checkpoint } = settings;
    const title = `Distilling ${basename(flags.teacher)}`;
    const facts = factsOf(run, distillation);
    const plan = { title, outdir: flags.outdir, duration, status, snapshot, checkpoint, silent, facts, resumed };
    finish(run, await trainingLoop(trainee, plan));
  } finally {
    distillation?.close();
    release();
    // Of options that could not be right nothing stays.
    outdir.discardIfEmpty();
  }
}

function factsOf({ flags, settings, dataset, gpu }: Run, distillation: Distillation): [string, string][] {
  const { batchGpu, rounds, workers } = distillation.settings;
  const { batch, refLr, refBatches, rampup, gLrScaling, dLrScaling, ganLossScaling, ganWarmup } = settings;
  return [
    ["teacher", basename(flags.teacher)],
    [
      "data",
      `${basename(flags.data)}: ${counted(dataset.length, "image")} of ${shapeText(dataset.shape)}, ${classText(dataset)}`,
    ],
    ["network", JSON.stringify(distillation.config)],
    ["adapter", gpu.info.name],
    ["duration", counted(settings.duration, "image")],
    [
      "batch",
      `${counted(batch, "image")} in ${counted(rounds, "round")} of ${batchGpu}, ${counted(workers, "virtual worker")}`,
    ],
    [
      "learning rate",
      `score model ${refLr}, rising over ${counted(rampup, "image")}, falling after ${counted(refBatches, "iteration")}`,
    ],
    ["relative rates", `generator ${gLrScaling}, discriminator ${dLrScaling}`],
    ["adversarial loss", `weight ${ganLossScaling}, from ${counted(ganWarmup, "image")} on`],
    ["levels t", `ln(t) of mean ${settings.pMean} and standard deviation ${settings.pStd}`],
    ["mixing weights", `from ${flags.ctrlInit ?? 0} on, relative rate ${flags.ctrlLr ?? 1}`],
    ["precision", flags.precision],
    ["averages", flags.ema.join(", ")],
    ["samples", `time steps ${settings.ts.join(", ")}`],
    ["seed", String(flags.seed)],
  ];
}
