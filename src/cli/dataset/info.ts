import { basename } from "node:path";
import type { Command } from "commander";
import { Dataset } from "../../data/dataset.js";
import { bad, counted } from "../../errors.js";
import { inOrder } from "../../figures/arrange.js";
import { type Sheet, sheetFile } from "../../figures/sheet.js";
import { imagesFromValues } from "../../image/pixels.js";
import { version } from "../../runs/package.js";
import { tell, withProgress } from "../../runs/progress.js";
import { table } from "../../runs/table.js";
import { writeAtomic } from "../../runs/whole-file.js";

interface InfoFlags {
  grid?: string;
  check?: boolean;
  fingerprint?: boolean;
  json?: boolean;
}

/** Pictures of a row of the sheet, and rows and pictures at most. */
const PER_CLASS = 10;
const MAX_ROWS = 20;
const MAX_PICTURES = 80;
/** Pixels of all of them at most: a sheet has room for a few more. */
const MAX_PIXELS = 3 * 2 ** 23;
/** Classes that the table lists. */
const MAX_LISTED = 100;

/** `count` numbers from 0 to length - 1, evenly spread. */
const spread = (length: number, count: number) =>
  Array.from({ length: Math.min(length, count) }, (_, i) => Math.floor((i * length) / Math.min(length, count)));

/** Places of the pictures of every class. */
function byClass(classes: Int32Array, dim: number): number[][] {
  const places: number[][] = Array.from({ length: dim }, () => []);
  for (const [i, label] of classes.entries()) places[label]!.push(i);
  return places;
}

/** A row of pictures for each class, or evenly spread ones where there are none. */
async function sheetOf(set: Dataset, name: string): Promise<Sheet> {
  const read = async (i: number) => {
    const { image } = await set.item(i);
    return { image: imagesFromValues(image, [1, ...set.shape])[0]! };
  };
  const [channels, height, width] = set.shape;
  const what = channels === 1 ? "grey" : channels === 3 ? "colour" : `${channels} channels`;
  const caption = `${name}: ${set.length.toLocaleString("en")} pictures of ${width}×${height}, ${what}; some of them, evenly spread.`;
  const { classes, dim } = set.labels;
  /** So many, or as many as fit, of things that are `each` pictures. */
  const most = (count: number, each = 1) =>
    Math.max(1, Math.min(count, Math.floor(MAX_PIXELS / (each * width * height))));
  if (!classes) return { rows: inOrder(await Promise.all(spread(set.length, most(MAX_PICTURES)).map(read))), caption };
  const there = byClass(classes, dim)
    .map((places, label) => ({ places, label: set.classes?.[label] ?? String(label) }))
    .filter(({ places }) => places.length > 0);
  const chosen = spread(there.length, most(MAX_ROWS, PER_CLASS)).map((i) => there[i]!);
  const columns = Math.min(most(PER_CLASS), Math.max(...chosen.map(({ places }) => places.length)));
  const rows = chosen.map(async ({ label, places }) => {
    const cells = await Promise.all(spread(places.length, columns).map((k) => read(places[k]!)));
    return { label, cells: Array.from({ length: columns }, (_, k) => cells[k]) };
  });
  return { caption, rows: await Promise.all(rows) };
}

/** Reads every picture. @returns what is wrong with the damaged ones */
async function damagedOf(set: Dataset, silent: boolean): Promise<string[]> {
  const damaged: string[] = [];
  await withProgress({ total: set.length, label: "checking", silent }, async (progress) => {
    for (let i = 0; i < set.length; i++) {
      await set.item(i).catch((error: Error) => damaged.push(error.message));
      progress.update(i + 1);
    }
  });
  return damaged;
}

export function registerDatasetInfo(dataset: Command): Command {
  return dataset
    .command("info")
    .summary("tell what a data set holds, and show some of it")
    .description(
      "Tells what a data set of EDM2's layout holds: pictures or latents, their number and size, and the classes. Needs no GPU.",
    )
    .argument("<source>", "the folder or zip archive")
    .option("--grid <file>", "a sheet with some pictures of every class (PNG, or SVG by its name)")
    .option("--check", "read every picture, and name those that are damaged")
    .option("--fingerprint", "SHA-256 of names, contents and labels, the same for a folder and an archive of it")
    .option("--force", "replace a file that is there, whoever made it")
    .option("--json", "print one JSON object on stdout")
    .option("--verbose", "stacks of errors")
    .addHelpText("after", "\nExample:\n  ncvsd-gpu dataset info fashion.zip --grid fashion.png")
    .action(async (path: string, flags: InfoFlags) => {
      // Pictures that are read once need not be kept.
      const set = await Dataset.open(path, { cacheBytes: 0 });
      try {
        const { labels, kind, shape, length } = set;
        const counts = labels.classes && byClass(labels.classes, labels.dim).map((places) => places.length);
        if (flags.grid && kind === "latents")
          throw bad(`${path} holds latents: without their decoder there is nothing to show`);
        const damaged = flags.check ? await damagedOf(set, flags.json ?? false) : undefined;
        if (flags.grid)
          writeAtomic(
            flags.grid,
            await sheetFile(flags.grid, await sheetOf(set, basename(path)), { "ncvsd-gpu:sheet": version }),
          );
        const fingerprint = flags.fingerprint ? await set.fingerprint() : undefined;
        const result = {
          path,
          kind,
          images: length,
          shape,
          labelDim: labels.dim,
          ...(counts ? { counts, ...(set.classes ? { classes: set.classes } : {}) } : {}),
          ...(damaged ? { damaged } : {}),
          ...(fingerprint ? { fingerprint } : {}),
        };
        for (const line of damaged ?? []) tell(line);
        process.stdout.write(`${flags.json ? JSON.stringify(result) : report(result)}\n`);
        if (damaged && damaged.length > 0) process.exitCode = 1;
      } finally {
        await set.close();
      }
    });
}

function report(result: {
  path: string;
  kind: string;
  images: number;
  shape: readonly number[];
  labelDim: number;
  counts?: readonly number[];
  classes?: readonly string[];
  damaged?: readonly string[];
  fingerprint?: string;
}): string {
  const { path, kind, images, shape, labelDim, counts, classes, damaged, fingerprint } = result;
  const [channels, height, width] = shape;
  const facts: [string, string][] = [
    ["data set", path],
    [kind, `${images.toLocaleString("en")} of ${width}x${height} with ${counted(channels!, "channel")}`],
    ["labels", labelDim === 0 ? "none" : counts ? `${labelDim} classes` : `${labelDim} numbers each`],
  ];
  if (damaged) facts.push(["damaged", String(damaged.length)]);
  if (fingerprint) facts.push(["fingerprint", fingerprint]);
  const lines = table(["", ""], facts, { bare: true });
  if (!counts) return lines.join("\n");
  const rows = counts.slice(0, MAX_LISTED).map((count, c) => [String(c), String(count), classes?.[c] ?? ""]);
  const more = counts.length > MAX_LISTED ? [`and ${counts.length - MAX_LISTED} more`] : [];
  return [
    ...lines,
    "",
    ...table(["class", "pictures", classes ? "name" : ""], rows, { cut: ["name"] }).map((line) => line.trimEnd()),
    ...more,
  ].join("\n");
}
