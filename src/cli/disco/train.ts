import { join } from "node:path";
import { type Command, Option } from "commander";
import { MADE, madePoints, type Points } from "../../data/points.js";
import { tablePoints } from "../../data/table.js";
import { bad, counted } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { MAX_SEED, parseInteger, parseNumber } from "../../runs/args.js";
import { claim } from "../../runs/claim.js";
import { onStopRequest } from "../../runs/interrupt.js";
import { checkOutdir, prepareOutdir } from "../../runs/output.js";
import { bundledMixtures } from "../../runs/package.js";
import { createProgress, formatDuration, formatRate } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { type DiscoTraining, openDisco } from "../../train/disco.js";
import { type DiscoTrainingOptions, discoSchedule } from "../../train/disco-settings.js";
import { findState } from "../../train/state.js";
import { ADAPTER_HELP, type EngineOptions, openEngine } from "../parts/engine.js";
import { TEACHER_HELP } from "../parts/published.js";
import { arePictures, PICTURES, type PictureFlags, refuseGiven, trainPictures } from "./train-pictures.js";

interface TrainFlags extends EngineOptions {
  data: string;
  outdir: string;
  dims?: number;
  width?: number;
  steps?: number;
  batch?: number;
  lr?: number;
  decay: "cosine" | "none";
  posterior?: NonNullable<DiscoTrainingOptions["posterior"]>;
  draw?: boolean;
  weight?: NonNullable<DiscoTrainingOptions["weight"]>;
  uniform?: number;
  sigmaMin?: number;
  sigmaMax?: number;
  emaRate: number;
  direct?: boolean;
  diffusion?: boolean;
  seed: number;
  status: number;
  checkpoint: number;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** What is said of tables by default; of pictures it is something else. */
const TABLE_DEFAULTS = { status: 500, checkpoint: 5000 };
type GivenFlags = Omit<TrainFlags, keyof typeof TABLE_DEFAULTS> & PictureFlags;

/** Of the network in the run's folder. */
const WEIGHTS = "disco.safetensors";
const WARM_UP = 100;

export function registerDiscoTrain(disco: Command): Command {
  const integer = (name: string, min: number, max: number) => (text: string) => parseInteger(text, name, { min, max });
  return disco
    .command("train")
    .summary("train a network on a table, or on pictures")
    .description(
      "Trains a network of DISCO on the columns of a table: the energy of which `disco sample` samples any columns given the others; or on " +
        "pictures, a score of no noise level. The same command goes on from the state in --outdir, to the bits of a run that never " +
        "stopped; Ctrl-C leaves one.",
    )
    .requiredOption(
      "--data <name>",
      `a table (.npy, .csv), ${MADE.join(", ")} (2, 10, 50: the benchmark's), or pictures as \`train\` takes them (.zip, a folder)`,
    )
    .requiredOption("--outdir <dir>", `where the weights (${WEIGHTS}, snapshots of pictures' models) and the state go`)
    .optionsGroup("Tables and pictures:")
    .option("--steps <count>", "(16000 up to 2 columns, else 100000; pictures 32768)", integer("--steps", 1, 2 ** 31))
    .option(
      "--batch <rows>",
      "points of a step (64 up to 2 columns, else 1024), or pictures (32)",
      integer("--batch", 1, 2 ** 20),
    )
    .option("--lr <rate>", "learning rate (0.003 up to 2 columns, else 0.001; pictures 0.01)", (text: string) =>
      parseNumber(text, "--lr", { above: 0 }),
    )
    .option(
      "--sigma-min <sigma>",
      "smoothing of the data: of a column's deviation (0.1), of pixels from -1 to 1 (0.01)",
      (text: string) => parseNumber(text, "--sigma-min", { above: 0 }),
    )
    .option("--seed <int>", "of network and draws", integer("--seed", 0, MAX_SEED), 0)
    .option("--status <steps>", "a line of the log this often (500; pictures 32)", integer("--status", 1, 2 ** 31))
    .option(
      "--checkpoint <steps>",
      "state and weights this often (5000; pictures 512)",
      integer("--checkpoint", 1, 2 ** 31),
    )
    .option("--force", "begin anew, whatever state is there")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--quiet", "no progress")
    .option("--json", "print one JSON object on stdout")
    .optionsGroup("Tables:")
    .option("--dims <count>", "columns that the data must have", integer("--dims", 1, 4096))
    .option("--width <count>", "hidden units (128 up to 2 columns, 256 up to 10, 512)", integer("--width", 8, 65536))
    .addOption(
      new Option("--decay <how>", `cosine: to a hundredth at the last step, after ${WARM_UP} steps of warm-up`)
        .choices(["cosine", "none"])
        .default("cosine"),
    )
    .option(
      "--posterior <support>",
      "exact (all data), subset:N, or minibatch (exact up to 4096 data or 3 columns, else minibatch)",
    )
    .option("--draw", "learn from a draw of the posterior, not its mean")
    .addOption(
      new Option(
        "--weight <of>",
        "of a point, by its noise level or its distance to the data (1/distance up to 3 columns; else, and of draws and minibatches, 1)",
      ).choices(["1", "1/sigma", "1/sigma^2", "1/distance", "1/distance^2"]),
    )
    .option(
      "--uniform <share>",
      "share of the points that is uniform in the box of the data (1 up to 2 columns, 0.75 of 3; else, with minibatch or a weight by noise level, 0)",
      (text: string) => parseNumber(text, "--uniform", { min: 0, max: 1 }),
    )
    .option("--sigma-max <sigma>", "largest noise level (2 up to 10 columns, else 5)", (text: string) =>
      parseNumber(text, "--sigma-max", { above: 0 }),
    )
    .option(
      "--ema-rate <rate>",
      "of the average that is kept",
      (text: string) => parseNumber(text, "--ema-rate", { min: 0, max: 0.9999999 }),
      0.999,
    )
    .option("--direct", "a score without an energy")
    .option("--diffusion", "the diffusion counterpart, with noise levels as labels")
    .optionsGroup("Pictures:")
    .option(
      "--known <share>",
      "pictures of which some pixels stay clean, so that clean ones can be given (0)",
      (text: string) => parseNumber(text, "--known", { min: 0, max: 1 }),
    )
    .option("--P_mean <mean>", "mean of ln(sigma) of the noise (-1.2)", (text: string) =>
      parseNumber(text, "--P_mean", {}),
    )
    .option("--P_std <std>", "standard deviation of ln(sigma) (1.2)", (text: string) =>
      parseNumber(text, "--P_std", { above: 0 }),
    )
    .option("--channels <n>", "width of a new network (32)", integer("--channels", 1, 65536))
    .option("--network <file>", `begin with the parameters of a teacher: ${TEACHER_HELP}`)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu disco train --data moons --outdir moons --steps 5000",
        "  ncvsd-gpu disco train --data gmm:2 --outdir gmm2",
        "  ncvsd-gpu disco train --data table.csv --outdir table",
        "  ncvsd-gpu disco train --data fashion.zip --outdir fashion --known 0.5",
        "Columns of files are standardised; the weights remember how, and their names.",
      ].join("\n"),
    )
    .action(train);
}

async function train(given: GivenFlags, command: Command): Promise<void> {
  if (arePictures(given.data)) return trainPictures(given, command);
  refuseGiven(command, PICTURES, `are for pictures: --data ${given.data} is none`);
  const flags: TrainFlags = { ...TABLE_DEFAULTS, ...given };
  checkOutdir(flags.outdir);
  const points = (await madePoints(flags.data, bundledMixtures)) ?? (await tablePoints(flags.data));
  if (flags.dims !== undefined && flags.dims !== points.dims)
    throw bad(`--data ${flags.data} has ${points.dims} columns, not the ${flags.dims} of --dims`);
  const gpu = await openEngine({ ...flags, tuning: false }, new Stopwatch());
  try {
    await trainOn(gpu, flags, points);
  } finally {
    gpu.close();
  }
}

function optionsOf(
  flags: TrainFlags,
  { values, dims, mean, std, columns }: Points,
  steps: number,
): DiscoTrainingOptions {
  const { width, posterior, uniform, sigmaMin, sigmaMax, weight, seed, emaRate } = flags;
  const { batch, lr } = { ...discoSchedule(dims), ...given(flags) };
  return {
    ...{ data: values, dims, batch, seed, emaRate },
    lr: flags.decay === "none" ? lr : { peak: lr, final: lr / 100, warmup: Math.min(WARM_UP, steps), steps },
    energy: !flags.direct,
    diffusion: flags.diffusion ?? false,
    target: flags.draw ? "draw" : "mean",
    ...(width === undefined ? {} : { width }),
    ...(posterior === undefined ? {} : { posterior }),
    ...(weight === undefined ? {} : { weight }),
    ...(uniform === undefined ? {} : { uniform }),
    ...(sigmaMin === undefined ? {} : { sigmaMin }),
    ...(sigmaMax === undefined ? {} : { sigmaMax }),
    describe: { ...(mean && std ? { mean, std } : {}), ...(columns ? { columns } : {}) },
  };
}

/** The settings of the schedule that were said. */
const given = ({ steps, batch, lr }: TrainFlags) =>
  Object.fromEntries(Object.entries({ steps, batch, lr }).filter(([, value]) => value !== undefined)) as Partial<
    ReturnType<typeof discoSchedule>
  >;

async function trainOn(gpu: Gpu, flags: TrainFlags, points: Points): Promise<void> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => void (silent || process.stderr.write(`${line}\n`));
  const { steps } = { ...discoSchedule(points.dims), ...given(flags) };
  const outdir = prepareOutdir(flags.outdir);
  const dir = join(flags.outdir, "state");
  const release = claim(dir);
  let run: DiscoTraining | undefined;
  try {
    const found = !flags.force && (await findState(dir, "disco"));
    run = await openDisco(gpu, { ...optionsOf(flags, points, steps), ...(found ? { resume: dir } : {}) });
    const { config, settings } = run;
    const rows = points.values.length / points.dims;
    say(
      `${gpu.info.name}: ${counted(rows, "row")} of ${counted(points.dims, "column")}, width ${config.width}, posterior ${settings.posterior}`,
    );
    if (run.steps > 0) say(`going on after ${counted(run.steps, "step")} (--force begins anew)`);
    const { stopped, loss } = await loop(run, flags, { steps, dir, silent });
    const file = join(flags.outdir, WEIGHTS);
    const facts = { outdir: flags.outdir, file, steps: run.steps, loss, dims: points.dims, rows };
    process.stdout.write(flags.json ? `${JSON.stringify(facts)}\n` : `${file}\n`);
    if (stopped === undefined) return;
    say(`Stopped after ${counted(run.steps, "step")}; the same command goes on from there.`);
    process.exitCode = stopped;
  } finally {
    run?.close();
    release();
    // Of options that could not be right nothing stays.
    outdir.discardIfEmpty();
  }
}

/** Trains to the last step, or until a signal asks to stop; leaves state and weights. */
async function loop(
  run: DiscoTraining,
  flags: TrainFlags,
  { steps, dir, silent }: { readonly steps: number; readonly dir: string; readonly silent: boolean },
): Promise<{ readonly stopped: number | undefined; readonly loss: number | null }> {
  const begun = run.steps;
  const total = Math.max(0, steps - begun);
  const progress = createProgress({ total, label: "training", unit: "step", silent: silent || total === 0 });
  let stopped: number | undefined;
  const forget = onStopRequest((code) => {
    stopped = code;
    progress.note("stopping soon, with a checkpoint (once more ends at once, without)");
  });
  let [sum, count, since, loss] = [0, 0, performance.now(), null as number | null];
  const status = () => {
    if (count === 0) return;
    loss = sum / count;
    const rate = (count * 1000) / (performance.now() - since);
    progress.note(
      `${counted(run.steps, "step")}, loss ${loss.toPrecision(4)}, ${formatRate(rate, "step")}, ${formatDuration((steps - run.steps) / rate)} left`,
    );
    [sum, count, since] = [0, 0, performance.now()];
  };
  const keep = async () => {
    await run.save(dir);
    writeAtomic(join(flags.outdir, WEIGHTS), await run.snapshot());
  };
  try {
    // Few steps at once at first, so that slow adapters show progress; about a second's later.
    let pace = 1;
    while (run.steps < steps && stopped === undefined) {
      const next = (every: number) => every - (run.steps % every);
      const size = Math.min(pace, steps - run.steps, next(flags.status), next(flags.checkpoint));
      const started = performance.now();
      for (const value of await run.train(size)) sum += value;
      count += size;
      const perStep = (performance.now() - started) / size;
      pace = Math.max(1, Math.min(4 * pace, Math.floor(1000 / perStep)));
      progress.update(run.steps - begun);
      if (run.steps % flags.status === 0) status();
      if (run.steps % flags.checkpoint === 0 && run.steps < steps) await keep();
      // Signals are delivered between submissions.
      await new Promise((resolve) => setImmediate(resolve));
    }
    status();
    await keep();
  } finally {
    forget();
    progress.stop();
  }
  return { stopped, loss };
}
