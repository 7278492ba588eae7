import { type Command, Option } from "commander";
import type { Label } from "../../data/dataset-labels.js";
import type { PictureSource, SourcePicture } from "../../data/picture-source.js";
import { TRANSFORMS, type TransformName, transformed } from "../../data/transforms.js";
import { bad, counted, NcvsdError, quote } from "../../errors.js";
import { type RawImage, toChannels } from "../../image/pixels.js";
import { encodePng } from "../../image/png.js";
import { parseInteger } from "../../runs/args.js";
import { withProgress } from "../../runs/progress.js";
import { finishSet, labelText, makeSet, memberName, type SetFlags, type SetLabels, type Sink } from "./new-set.js";

interface ConvertFlags extends SetFlags {
  resolution?: { width: number; height: number };
  transform?: TransformName;
  grey?: boolean;
  maxImages?: number;
  skipBad?: boolean;
  json?: boolean;
}

/** Sides of pictures that networks take are far below. */
const MAX_SIDE = 2 ** 14;

/** Tells pictures of ours. */
const MARK = { "ncvsd-gpu:made": "dataset convert" };

interface Converted extends SetLabels {
  readonly images: number;
  /** Too small for `center-crop-wide`. */
  readonly skipped: number;
  /** What is wrong with each that --skip-bad left out. */
  readonly damaged: readonly string[];
  /** Channels, height, width. */
  readonly shape: readonly number[];
}

/** Transforms the pictures one by one, and writes them and their labels. */
async function convertAll(source: PictureSource, sink: Sink, flags: ConvertFlags): Promise<Converted> {
  const total = Math.min(source.count, flags.maxImages ?? source.count);
  const labels: [string, Label | undefined][] = [];
  let first: { image: RawImage; where: string } | undefined;
  const damaged: string[] = [];
  // Damaged pictures take no number; those too small do, as in the reference.
  let numbered = 0;
  await withProgress({ total, label: "converting", silent: flags.json ?? false }, async (progress) => {
    for await (const picture of source.pictures()) {
      if (numbered === total) break;
      const { where, label } = picture;
      const image = await readPicture(picture, flags.skipBad ? damaged : undefined);
      if (!image) {
        progress.note(`${damaged.at(-1)}: left out`);
        continue;
      }
      const name = memberName(numbered++, "img", ".png");
      const made = transformed(toChannels(image, flags.grey ? 1 : 3), flags.transform, flags.resolution);
      progress.update(numbered);
      if (!made) continue;
      first ??= { image: squared(made, where), where };
      if (made.width !== first.image.width || made.height !== first.image.height)
        throw bad(
          `${where} is ${made.width}x${made.height}, but ${first.where} is ${first.image.width}x${first.image.height}: give --resolution and --transform`,
        );
      sink.add(name, encodePng(made, MARK, 0));
      labels.push([name, label]);
      // Signals are delivered in between.
      if (numbered % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  });
  if (numbered === 0) throw bad("no picture can be read: there is nothing to make a data set of");
  if (!first) throw bad(`no picture is large enough for --transform ${flags.transform} at this --resolution`);
  const { channels, width, height } = first.image;
  return {
    images: labels.length,
    skipped: numbered - labels.length,
    damaged,
    shape: [channels, height, width],
    ...finishSet(sink, labels, source),
  };
}

/** A picture's pixels; of a damaged one, where there is a list of them, an entry in it in their place. */
async function readPicture({ image }: SourcePicture, damaged: string[] | undefined): Promise<RawImage | undefined> {
  try {
    return await image();
  } catch (error) {
    if (!(error instanceof NcvsdError)) throw error;
    const what = error.message.replace(/\.$/, "");
    if (!damaged)
      throw new NcvsdError(error.code, `${what}: mend it, or leave it out with --skip-bad`, { cause: error.cause });
    damaged.push(what);
    return undefined;
  }
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
    .option("--max-images <n>", "only the first so many", (text: string) =>
      parseInteger(text, "--max-images", { min: 1 }),
    )
    .option("--skip-bad", "leave out damaged pictures, and say which")
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
      const result = await makeSet(path, flags, (source, sink) => convertAll(source, sink, flags));
      process.stdout.write(`${flags.json ? JSON.stringify(result) : report(result)}\n`);
    });
}

function report(result: Converted & { dest: string; kind: string }): string {
  const { images, skipped, damaged, shape, dest, kind } = result;
  const [channels, height, width] = shape;
  const small = skipped === 0 ? "" : `, ${skipped} too small`;
  const left = damaged.length === 0 ? "" : `, ${damaged.length} damaged left out`;
  return `${dest}: ${counted(images, "picture")} of ${width}x${height} with ${counted(channels!, "channel")} from ${kind}, ${labelText(result)}${small}${left}`;
}
