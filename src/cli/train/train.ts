import { basename, join } from "node:path";
import type { Command } from "commander";
import type { Dataset } from "../../data/dataset.js";
import { shapeText } from "../../data/inputs.js";
import { bad, counted } from "../../errors.js";
import { mib } from "../../gpu/device.js";
import { LATENT_SCALE } from "../../networks/vae/latents.js";
import { claim } from "../../runs/claim.js";
import { prepareOutdir } from "../../runs/output.js";
import { batchesOf } from "../../train/dataset-batches.js";
import type { ConfigInput } from "../../train/source.js";
import { findState, sweepState } from "../../train/state.js";
import { openTraining, type Training, type TrainingOptions } from "../../train/training.js";
import { checkSamples, dryRun, finish, type Run as TrainingRun, withRun } from "./command.js";
import { addTrainOptions, settingsOf, type TrainFlags, type TrainSettings } from "./flags.js";
import { stateDir, type Trainee, trainingLoop } from "./loop.js";
import { classNames, classText, guarded, imageShape, largestRound, readTeacher } from "./parts.js";
import { sampleSnapshot } from "./samples.js";

const SAMPLE_STEPS = 18;

export function registerTrain(program: Command): void {
  const command = program
    .command("train")
    .summary("train an EDM2 teacher on a data set")
    .description(
      "Trains an EDM2 diffusion model (Karras et al. 2024) on a data set. The same command goes on from the newest state in --outdir, " +
        "to the bits of a run that never stopped; Ctrl-C leaves one.",
    );
  addTrainOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu train --data photos.zip --outdir run",
        "  ncvsd-gpu train --data fashion.zip --outdir run --duration 256Ki --fd 1000",
        "  ncvsd-gpu train --data imagenet64.zip --preset edm2-img64-xs --outdir run \\",
        "    --dry-run",
        "A data set is made by `dataset convert`.",
        "Settings that are not given are the preset's: EDM2's own, or of fashion32 such",
        "as suit batches of some tens of images. A state is for one set of settings:",
        "others are refused, by name.",
      ].join("\n"),
    )
    .action(train);
}

type Run = TrainingRun<TrainFlags, TrainSettings>;

/** Trains a teacher, or with `disco` a model without noise levels, on a data set. */
export async function train(flags: TrainFlags): Promise<void> {
  const settings = settingsOf(flags);
  const settingsFor = (dataset: Dataset) => ({ ...settings, config: configFor(flags, settings, dataset) });
  await withRun(flags, settingsFor, async (run) => {
    if (!flags.dryRun) return trainAndReport(run);
    const { training } = await open(run, undefined);
    const images = (rounds: number) => `in ${counted(rounds, "round")}`;
    await dryRun(run, training, { count: () => parameterCount(training), step: "update", images });
  });
}

/** The network's arguments for this data set: its size, channels and classes are the data's. */
function configFor(flags: TrainFlags, { config }: TrainSettings, dataset: Dataset): ConfigInput {
  const [channels, height, width] = imageShape(dataset);
  if (height !== width)
    throw bad(
      `--data ${flags.data} has images of ${shapeText(dataset.shape)}: they must be square, as \`dataset convert --resolution --transform\` makes them`,
    );
  // A network that is there knows its classes.
  const classes =
    flags.network !== undefined && !flags.disco ? {} : { label_dim: flags.disco ? 0 : dataset.labels.dim };
  const own = { img_resolution: height, img_channels: channels, ...classes };
  for (const [name, value] of Object.entries(own)) {
    const given = config[name as keyof typeof own];
    if (given !== undefined && given !== value)
      throw bad(`--config ${flags.config} has ${name} ${given}, but --data ${flags.data} makes it ${value}`);
  }
  checkSamples(flags, dataset);
  return { ...config, ...own };
}

interface Opened {
  readonly training: Training;
  /** Names of the classes, of the data or of the network that it begins with. */
  readonly labels: readonly string[] | undefined;
}

/** Opens the training, from its state if there is one, with the largest round that fits where that is asked for. */
async function open(run: Run, dir: string | undefined): Promise<Opened> {
  const { gpu, flags, settings, dataset, say } = run;
  const { network } = flags;
  const begun = network === undefined || flags.disco ? undefined : await readTeacher("--network", network, run);
  const found = dir === undefined ? undefined : await findState(dir, "teacher");
  say(`${gpu.info.name}: ${counted(dataset.length, "image")} of ${shapeText(dataset.shape)}, ${classText(dataset)}`);
  const shape = imageShape(dataset);
  const feed = await batchesOf(dataset, {
    seed: flags.seed,
    shape,
    labelDim: begun?.config.label_dim ?? dataset.labels.dim,
    latents: LATENT_SCALE,
  });
  const { batch, pMean, pStd, lossScaling, refLr, refBatches, rampup } = settings;
  const config = begun ? { ...begun.config, dropout: begun.dropout, ...settings.config } : settings.config;
  const options: TrainingOptions = {
    ...{ config, batch, pMean, pStd, lossScaling, seed: flags.seed, emaStds: flags.ema },
    lr: { refLr, refBatches, rampupMimg: rampup / 1e6 },
    data: guarded(feed, flags.skipBad ?? false),
    recompute: flags.recompute ?? false,
    precision: flags.precision,
    ...(flags.disco && { disco: flags.disco }),
    ...(network !== undefined && { network: begun?.tensors ?? network }),
    ...(found && dir !== undefined && { resume: dir }),
  };
  const at = (batchGpu: number) => openTraining(gpu, { ...options, batchGpu });
  const wanted = { gpu, batch, wished: flags.batchGpu, stored: found?.settings.batchGpu };
  return { training: await largestRound(wanted, at), labels: classNames(dataset) ?? begun?.labels };
}

const parameterCount = async (training: Training) =>
  [...(await training.gradients()).values()].reduce((sum, values) => sum + values.length, 0);

async function traineeOf({ gpu, flags, dataset }: Run, { training, labels }: Opened): Promise<Trainee> {
  const { batch, batchGpu } = training.settings;
  const { samples: count, fd, vae } = flags;
  return {
    get images() {
      return training.images;
    },
    batch,
    parameters: await parameterCount(training),
    async step() {
      const { losses, lr } = await training.step();
      return { loss: losses.reduce((a, b) => a + b, 0) / losses.length, lr };
    },
    zeroedGradients: () => training.zeroedGradients(),
    save: (dir) => training.save(dir),
    async snapshots() {
      const all = [];
      for (const std of flags.ema) all.push(await training.snapshot(std, labels ? { labels } : {}));
      return all;
    },
    async sample({ bytes }) {
      if (dataset.kind === "latents" && vae === undefined) return {};
      const timeless = flags.disco !== undefined;
      const plan = { count, fd, vae, steps: SAMPLE_STEPS, batch: Math.min(batchGpu, 16), timeless };
      return sampleSnapshot(gpu, bytes, plan, dataset);
    },
  };
}

async function trainAndReport(run: Run): Promise<void> {
  const { flags, settings, say, silent } = run;
  const outdir = prepareOutdir(flags.outdir);
  const release = claim(join(flags.outdir, "state"));
  const dir = stateDir(flags.outdir);
  let training: Training | undefined;
  try {
    const opened = await open(run, flags.force ? undefined : dir);
    ({ training } = opened);
    await sweepState(dir);
    const resumed = training.images > 0;
    if (resumed) say(`going on after ${counted(training.images, "image")} (--force begins anew)`);
    const trainee = await traineeOf(run, opened);
    say(`${trainee.parameters.toLocaleString("en")} parameters, ${mib(run.gpu.allocatedBytes)} of GPU memory`);
    const { duration, status, snapshot, checkpoint } = settings;
    const title = `Training on ${basename(flags.data)}`;
    const facts = factsOf(run, training);
    const plan = { title, outdir: flags.outdir, duration, status, snapshot, checkpoint, silent, facts, resumed };
    finish(run, await trainingLoop(trainee, plan));
  } finally {
    training?.close();
    release();
    // Of options that could not be right nothing stays.
    outdir.discardIfEmpty();
  }
}

function factsOf({ flags, settings, dataset, gpu }: Run, training: Training): [string, string][] {
  const { batchGpu, rounds, workers } = training.settings;
  const { batch, refLr, refBatches, rampup, pMean, pStd, lossScaling, duration } = settings;
  return [
    [
      "data",
      `${basename(flags.data)}: ${counted(dataset.length, "image")} of ${shapeText(dataset.shape)}, ${classText(dataset)}`,
    ],
    ["network", JSON.stringify(training.config)],
    ["adapter", gpu.info.name],
    ["duration", counted(duration, "image")],
    [
      "batch",
      `${counted(batch, "image")} in ${counted(rounds, "round")} of ${batchGpu}, ${counted(workers, "virtual worker")}`,
    ],
    [
      "learning rate",
      `${refLr}, rising over ${counted(rampup, "image")}, falling after ${counted(refBatches, "update")}`,
    ],
    ["noise levels", `ln(sigma) of mean ${pMean} and standard deviation ${pStd}`],
    ["loss scaling", String(lossScaling)],
    ["precision", flags.precision],
    ["averages", flags.ema.join(", ")],
    ["seed", String(flags.seed)],
  ];
}
