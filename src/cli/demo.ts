import { basename, join } from "node:path";
import type { Command } from "commander";
import { counted } from "../errors.js";
import { sheetPng } from "../figures/sheet.js";
import type { RawImage } from "../image/pixels.js";
import { BatchSize } from "../runs/batch-size.js";
import { generate, readImages } from "../runs/generate.js";
import { checkOutdir } from "../runs/output.js";
import { bundledCheckpoint, version } from "../runs/package.js";
import { Stopwatch } from "../runs/stopwatch.js";
import { writeAtomic } from "../runs/whole-file.js";
import { ADAPTER_HELP, type EngineOptions, loadNetwork, openEngine, PRECISION_HELP } from "./parts/engine.js";
import { ms } from "./sample.js";

/** Time steps of 1, 2 and 4 evaluations: those of the checkpoint's model card. */
const SCHEDULES = [[10], [0, 16], [0, 4, 8, 12]] as const;
const PER_CLASS = 4;
const BATCH = 20;

export function registerDemo(program: Command): void {
  program
    .command("demo")
    .summary("every class of the bundled checkpoint in 1, 2 and 4 steps, as one sheet")
    .description(
      "Generates images of all ten classes of the bundled Fashion-MNIST checkpoint in 1, 2 and 4 steps, and a sheet of them.",
    )
    .option("--outdir <dir>", "where the images and grid.png go", "out")
    .option("--force", "make images anew that are there already")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--precision <type>", PRECISION_HELP)
    .option("--quiet", "no progress")
    .addHelpText("after", "\nExample:\n  ncvsd-gpu demo --outdir out")
    .action(async (flags: EngineOptions & { outdir: string; force?: boolean; quiet?: boolean }) => {
      checkOutdir(flags.outdir);
      const watch = new Stopwatch();
      const gpu = await openEngine(flags, watch);
      try {
        const say = (line: string) => void (flags.quiet || process.stderr.write(`${line}\n`));
        const model = await loadNetwork(gpu, bundledCheckpoint, watch, Boolean(flags.quiet));
        say(`adapter: ${gpu.info.name} (${gpu.info.driver})`);
        say(`checkpoint: ${model.checkpoint.name}`);
        const classes = model.config.label_dim;
        const seeds = Array.from({ length: classes * PER_CLASS }, (_, i) => i);
        const labels = seeds.map((seed) => seed % classes);
        const checkpointSha256 = await model.checkpoint.sha256();
        const sheets: { label: string; images: RawImage[] }[] = [];
        for (const ts of SCHEDULES) {
          const label = counted(ts.length, "step");
          const outdir = join(flags.outdir, label.replace(" ", "-"));
          const { made, kept, timings } = await generate({
            model,
            seeds,
            labels,
            options: { sampler: "multi-step", ts, zeta: 1, class: `seed modulo ${classes}`, precision: gpu.precision },
            sampler: { name: "multi-step", settings: { ts, zeta: 1 } },
            checkpointSha256,
            batch: new BatchSize(BATCH, false),
            outdir,
            command: ["ncvsd-gpu", ...process.argv.slice(2)],
            force: flags.force ?? false,
            silent: flags.quiet ?? false,
            label,
          });
          const { steadyImages, steadySeconds, seconds } = timings;
          const rate = steadyImages > 0 ? steadySeconds / steadyImages : seconds / Math.max(1, made);
          const timing = made === 0 ? "" : `, ${ms(rate)} per image, ${ms(rate / ts.length)} per evaluation`;
          say(`${label}: ${made} made, ${kept} kept${timing}`);
          sheets.push({ label, images: readImages(outdir, seeds) });
        }
        const grid = {
          title: "Fashion-MNIST, generated",
          caption:
            `${basename(model.checkpoint.name)}: class-conditional images of 32×32, the same ${seeds.length} seeds with 1, 2 and 4 network ` +
            `evaluations (time steps ${SCHEDULES.map((ts) => ts.join(", ")).join("; ")}).`,
          groups: sheets.map((s) => ({ label: s.label, columns: Array.from({ length: PER_CLASS }, () => "") })),
          rows: Array.from({ length: classes }, (_, c) => ({
            label: model.labels?.[c] ?? String(c),
            cells: sheets.flatMap((s) =>
              Array.from({ length: PER_CLASS }, (_, k) => ({ image: s.images[k * classes + c]! })),
            ),
          })),
        };
        const path = join(flags.outdir, "grid.png");
        writeAtomic(path, await sheetPng(grid, { "ncvsd-gpu:sheet": version }));
        process.stdout.write(`${path}\n`);
      } finally {
        gpu.close();
      }
    });
}
