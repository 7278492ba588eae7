import type { Command } from "commander";
import { npyBytes } from "../../checkpoint/npy-write.js";
import type { Label } from "../../data/dataset-labels.js";
import type { PictureSource } from "../../data/picture-source.js";
import { bad } from "../../errors.js";
import { type RawImage, toChannels } from "../../image/pixels.js";
import { Vae } from "../../networks/vae/vae.js";
import { parseInteger } from "../../runs/args.js";
import { withProgress } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { ADAPTER_HELP, type EngineOptions, openEngine } from "../parts/engine.js";
import { finishSet, labelText, makeSet, memberName, type SetFlags, type SetLabels, type Sink } from "./new-set.js";

interface EncodeFlags extends SetFlags, EngineOptions {
  vae: string;
  maxImages?: number;
  json?: boolean;
}

/** Pictures that one call of the encoder gets: what it prepares is shared by them. */
const AT_A_TIME = 16;

interface Encoded extends SetLabels {
  readonly images: number;
  /** Channels (means, then standard deviations), height, width of a latent. */
  readonly shape: readonly number[];
}

/** Pictures of bytes to [N, C, H, W] with 0 black and 1 white, u8 / 255, which is what the VAE takes. */
function unitValues(images: readonly RawImage[]): Float32Array {
  const [{ width, height, channels }] = images as [RawImage];
  const plane = width * height;
  const values = new Float32Array(images.length * channels * plane);
  for (const [n, { data }] of images.entries())
    for (let c = 0; c < channels; c++)
      for (let p = 0; p < plane; p++) values[(n * channels + c) * plane + p] = data[p * channels + c]! / 255;
  return values;
}

/** A picture that is another's size, or none the encoder takes, is refused before it is computed. */
function checkSize({ width, height }: RawImage, where: string, first: RawImage, vae: Vae): void {
  const size = `${where} is ${width}x${height}`;
  if (width !== height || width % (2 * vae.factor) !== 0)
    throw bad(
      `${size}, but the encoder takes squares whose side is a multiple of ${2 * vae.factor}: make them with \`dataset convert --resolution 512x512 --transform center-crop-dhariwal\` first`,
    );
  if (width !== first.width)
    throw bad(
      `${size}, but the first is ${first.width}x${first.height}: give all one size by \`dataset convert\` first`,
    );
}

/** Means and standard deviations of every picture's latent, one file each. */
async function encodeAll(source: PictureSource, sink: Sink, vae: Vae, flags: EncodeFlags): Promise<Encoded> {
  const total = Math.min(source.count, flags.maxImages ?? source.count);
  const { imageChannels } = vae.structure;
  if (imageChannels !== 1 && imageChannels !== 3) throw bad(`--vae ${flags.vae} takes ${imageChannels} channels`);
  const labels: [string, Label | undefined][] = [];
  let first: RawImage | undefined;
  let shape: number[] = [];
  let waiting: RawImage[] = [];
  let done = 0;
  await withProgress({ total, label: "encoding", silent: flags.json ?? false }, async (progress) => {
    const flush = async () => {
      if (waiting.length === 0) return;
      const { width, height } = waiting[0]!;
      const made = await vae.encode(unitValues(waiting), [waiting.length, imageChannels, height, width]);
      shape = made.shape.slice(1);
      const size = made.latents.length / waiting.length;
      for (let i = 0; i < waiting.length; i++, done++) {
        const values = made.latents.subarray(i * size, (i + 1) * size);
        sink.add(labels[done]![0], npyBytes(values, shape));
      }
      waiting = [];
      progress.update(done);
    };
    for await (const { where, label, image } of source.pictures()) {
      if (labels.length === total) break;
      const picture = toChannels(await image(), imageChannels);
      first ??= picture;
      checkSize(picture, where, first, vae);
      labels.push([memberName(labels.length, "img-mean-std-", ".npy"), label]);
      waiting.push(picture);
      if (waiting.length === AT_A_TIME) await flush();
    }
    await flush();
  });
  return { images: done, shape, ...finishSet(sink, labels, source) };
}

export function registerDatasetEncode(dataset: Command): Command {
  return dataset
    .command("encode")
    .summary("turn a data set of pictures into one of latents")
    .description(
      "Encodes pictures with the VAE (AutoencoderKL of diffusers, such as sd-vae-ft-mse) and writes a data set of EDM2's layout: " +
        "for every picture a .npy of float32 [8, H / 8, W / 8], four means and four standard deviations, from which training " +
        "draws a new latent each time. Pictures are squares, as `dataset convert` makes them.",
    )
    .argument("<source>", "the folder, zip archive or other file with the pictures")
    .requiredOption("--vae <file>", "the VAE with its encoder, .safetensors with diffusers' names, or an address of it")
    .requiredOption("--dest <file|dir>", "a .zip file, or a folder that is empty or not there")
    .option("--label-file <file>", "labels of an IDX file (default: the one beside it that is named so)")
    .option("--max-images <n>", "only the first so many", (text: string) =>
      parseInteger(text, "--max-images", { min: 1 }),
    )
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--force", "replace a .zip file or a data set that is there")
    .option("--json", "print one JSON object on stdout")
    .option("--verbose", "stacks of errors")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu dataset encode photos-512.zip --vae sd-vae-ft-mse.safetensors \\",
        "    --dest latents.zip",
        "",
        "Pictures of any size become squares before:",
        "  ncvsd-gpu dataset convert photos --dest photos-512.zip --resolution 512x512 \\",
        "    --transform center-crop-dhariwal",
      ].join("\n"),
    )
    .action(async (path: string, flags: EncodeFlags) => {
      const gpu = await openEngine(flags, new Stopwatch());
      try {
        const vae = await Vae.open(gpu, flags.vae);
        const result = await makeSet(path, flags, (source, sink) => encodeAll(source, sink, vae, flags));
        process.stdout.write(`${flags.json ? JSON.stringify(result) : report(result)}\n`);
      } finally {
        gpu.close();
      }
    });
}

function report(result: Encoded & { dest: string; kind: string }): string {
  const { images, shape, dest, kind } = result;
  const [channels, height, width] = shape;
  return `${dest}: ${images} latents of ${width}x${height} with ${channels} channels from ${kind}, ${labelText(result)}`;
}
