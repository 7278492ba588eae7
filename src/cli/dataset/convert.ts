import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type Command, Option } from "commander";
import { DATASET_JSON, type Label } from "../../data/dataset-labels.js";
import { openPictureSource } from "../../data/dataset-sources.js";
import type { PictureSource } from "../../data/picture-source.js";
import { TRANSFORMS, type TransformName, transformed } from "../../data/transforms.js";
import { ZipWriter } from "../../data/zip-writer.js";
import { bad, quote } from "../../errors.js";
import { type RawImage, toChannels } from "../../image/pixels.js";
import { encodePng } from "../../image/png.js";
import { parseInteger } from "../../runs/args.js";
import { onInterrupt } from "../../runs/interrupt.js";
import { version } from "../../runs/package.js";
import { tell, withProgress } from "../../runs/progress.js";
import { isFolder, syncFolder, WholeFile, writeAtomic } from "../../runs/whole-file.js";
import { isOurs } from "../parts/paths.js";

interface ConvertFlags {
  dest: string;
  resolution?: { width: number; height: number };
  transform?: TransformName;
  labelFile?: string;
  grey?: boolean;
  maxImages?: number;
  force?: boolean;
  json?: boolean;
}

/** Sides of pictures that networks take are far below. */
const MAX_SIDE = 2 ** 14;

/** Where a data set's files go. */
interface Sink {
  add(name: string, bytes: Uint8Array): void;
  /** Writes dataset.json, last of all. */
  finish(json: Uint8Array): void;
  discard(): void;
}

function zipSink(path: string): Sink {
  const file = new WholeFile(path);
  const zip = new ZipWriter((bytes) => file.write(bytes));
  const finish = (json: Uint8Array) => {
    zip.add(DATASET_JSON, json);
    zip.finish();
    file.finish();
  };
  return { add: (name, bytes) => zip.add(name, bytes), finish, discard: () => file.discard() };
}

const MEMBER = /^\d{5}[/\\]img\d{8}\.png$/;
/** Tells pictures of ours: what a conversion that was broken off has left may be replaced. */
const MARK = { "ncvsd-gpu:made": "dataset convert" };

/** dataset.json comes last: a folder without it is unfinished, and is begun anew. @param force begin a finished one anew, too */
function folderSink(path: string, force: boolean): Sink {
  if (existsSync(path) && !isFolder(path))
    throw bad(`--dest ${path} is a file: name a folder, or a file that ends in .zip`);
  const entries = isFolder(path) ? readdirSync(path, { recursive: true, withFileTypes: true }) : [];
  const there = entries
    .filter((entry) => !entry.isDirectory() && !entry.name.endsWith(".ncvsd-tmp"))
    .map((entry) => relative(path, join(entry.parentPath, entry.name)));
  const json = there.indexOf(DATASET_JSON);
  if (json >= 0 && isOurs(join(path, DATASET_JSON))) {
    if (!force) throw bad(`--dest ${path} is a data set: name another folder, or replace it with --force`);
    there.splice(json, 1);
  }
  if (there.some((name) => !MEMBER.test(name) || !isOurs(join(path, name))))
    throw bad(`--dest ${path} holds other files: name another folder, or empty it`);
  rmSync(join(path, DATASET_JSON), { force: true });
  const stale = new Set(there.map((name) => name.replaceAll("\\", "/")));
  const folders = new Set<string>();
  const add = (name: string, bytes: Uint8Array) => {
    stale.delete(name);
    folders.add(dirname(join(path, name)));
    writeAtomic(join(path, name), bytes, false);
  };
  const finish = (json: Uint8Array) => {
    for (const name of stale) rmSync(join(path, name));
    for (const folder of folders) syncFolder(folder);
    writeAtomic(join(path, DATASET_JSON), json);
  };
  return { add, finish, discard: () => {} };
}

interface Converted {
  readonly images: number;
  /** Too small for `center-crop-wide`. */
  readonly skipped: number;
  /** Channels, height, width. */
  readonly shape: readonly number[];
  /** Classes, or extents of the labels; 0: no labels. */
  readonly labelDim: number;
}

/** Transforms the pictures one by one, and writes them and their labels. */
async function convertAll(source: PictureSource, sink: Sink, flags: ConvertFlags): Promise<Converted> {
  const total = Math.min(source.count, flags.maxImages ?? source.count);
  const labels: [string, Label | undefined][] = [];
  let first: { image: RawImage; where: string } | undefined;
  let seen = 0;
  await withProgress({ total, label: "converting", silent: flags.json ?? false }, async (progress) => {
    for await (const { where, label, image } of source.pictures()) {
      if (seen === total) break;
      const digits = String(seen++).padStart(8, "0");
      const made = transformed(toChannels(await image(), flags.grey ? 1 : 3), flags.transform, flags.resolution);
      progress.update(seen);
      if (!made) continue;
      first ??= { image: squared(made, where), where };
      if (made.width !== first.image.width || made.height !== first.image.height)
        throw bad(
          `${where} is ${made.width}x${made.height}, but ${first.where} is ${first.image.width}x${first.image.height}: give --resolution and --transform`,
        );
      const name = `${digits.slice(0, 5)}/img${digits}.png`;
      sink.add(name, encodePng(made, MARK, 0));
      labels.push([name, label]);
      // Signals are delivered in between.
      if (seen % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  });
  if (!first) throw bad(`no picture is large enough for --transform ${flags.transform} at this --resolution`);
  const labelled = labels.every(([, label]) => label !== undefined);
  const json = {
    tool: "ncvsd-gpu",
    version,
    ...(labelled && source.classes ? { classes: source.classes } : {}),
    labels: labelled ? labels : null,
  };
  sink.finish(new TextEncoder().encode(JSON.stringify(json)));
  const dims = labelled ? labels.map(([, label]) => (typeof label === "number" ? label + 1 : label!.length)) : [0];
  const { channels, width, height } = first.image;
  return {
    images: labels.length,
    skipped: seen - labels.length,
    shape: [channels, height, width],
    labelDim: dims.reduce((a, b) => Math.max(a, b), 0),
  };
}

function squared(image: RawImage, where: string): RawImage {
  const { width, height } = image;
  const size = `${where} becomes ${width}x${height}`;
  if (width !== height) throw bad(`${size}, but pictures to train on are square: give --resolution and --transform`);
  if (!Number.isInteger(Math.log2(width)))
    throw bad(`${size}, but sides must be powers of two: give --resolution, such as ${nearestPower(width)}`);
  return image;
}

function nearestPower(side: number): string {
  const power = 2 ** Math.max(0, Math.round(Math.log2(side)));
  return `${power}x${power}`;
}

function parseResolution(text: string): { width: number; height: number } {
  const [, w, h] = /^(\d{1,5})x(\d{1,5})$/.exec(text) ?? [];
  const [width, height] = [Number(w), Number(h)];
  if (!(width >= 1 && height >= 1 && width <= MAX_SIDE && height <= MAX_SIDE))
    throw bad(`--resolution ${quote(text)}: must be width and height in pixels, such as 64x64`);
  return { width, height };
}

export function registerDatasetConvert(dataset: Command): Command {
  return dataset
    .command("convert")
    .summary("make a data set of pictures")
    .description(
      "Makes a data set of EDM2's layout (PNGs without compression, dataset.json) from a folder or zip archive of PNGs and JPEGs, " +
        "an IDX file (the MNIST family; .gz is unpacked), CIFAR-10 or CIFAR-100 binary files, or an .npz. Labels come from the " +
        "source's dataset.json, else from the names of its top folders, or from the file. Pictures come out as the reference's " +
        "dataset_tool makes them, to the bit.",
    )
    .argument("<source>", "the folder or file with the pictures")
    .requiredOption("--dest <file|dir>", "a .zip file, or a folder that is empty or not there")
    .option("--resolution <WxH>", "size of the pictures, such as 64x64 (default: as they are)", parseResolution)
    .addOption(
      new Option("--transform <name>", "how they get it (default: scaled, whatever their proportions)").choices(
        TRANSFORMS,
      ),
    )
    .option("--label-file <file>", "labels of an IDX file (default: the one beside it that is named so)")
    .option("--grey", "one channel (default: three, grey repeated)")
    .option("--max-images <n>", "only the first", (text: string) => parseInteger(text, "--max-images", { min: 1 }))
    .option("--force", "replace a .zip file or a data set that is there")
    .option("--json", "print one JSON object on stdout")
    .option("--verbose", "stacks of errors")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu dataset convert photos --dest photos-64.zip --resolution 64x64 \\",
        "    --transform center-crop-dhariwal",
        "  ncvsd-gpu dataset convert train-images-idx3-ubyte.gz --dest fashion.zip --grey",
        "  ncvsd-gpu dataset convert cifar-10-batches-bin --dest cifar10.zip",
      ].join("\n"),
    )
    .action(async (path: string, flags: ConvertFlags) => {
      const zip = /\.zip$/i.test(flags.dest);
      if (zip && existsSync(flags.dest) && !flags.force)
        throw bad(`--dest ${flags.dest} is there: name another, or replace it with --force`);
      const source = await openPictureSource(path, flags.labelFile);
      let sink: Sink | undefined;
      const forget = onInterrupt(() => sink?.discard());
      try {
        if (source.left) tell(source.left);
        sink = zip ? zipSink(flags.dest) : folderSink(flags.dest, flags.force ?? false);
        const converted = await convertAll(source, sink, flags);
        const result = { source: path, kind: source.kind, dest: flags.dest, ...converted };
        process.stdout.write(`${flags.json ? JSON.stringify(result) : report(result)}\n`);
      } finally {
        sink?.discard();
        forget();
        await source.close();
      }
    });
}

function report(result: Converted & { dest: string; kind: string }): string {
  const { images, skipped, shape, labelDim, dest, kind } = result;
  const [channels, height, width] = shape;
  const labels = labelDim === 0 ? "no labels" : `labels of ${labelDim}`;
  const small = skipped === 0 ? "" : `, ${skipped} too small`;
  return `${dest}: ${images} pictures of ${width}x${height} with ${channels} channel${channels === 1 ? "" : "s"} from ${kind}, ${labels}${small}`;
}
