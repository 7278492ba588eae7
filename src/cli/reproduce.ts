import { basename } from "node:path";
import type { Command } from "commander";
import { readInput } from "../data/arrays.js";
import { bad, oneLine } from "../errors.js";
import { readableName } from "../gpu/adapter-name.js";
import type { Gpu } from "../gpu/device.js";
import { type BatchShape, imagesFromValues, type RawImage } from "../image/pixels.js";
import { decodePng, encodePng } from "../image/png.js";
import type { Model } from "../networks/edm2/model.js";
import { sampleBatch } from "../runs/generate.js";
import type { Options } from "../runs/origin.js";
import { bundledCheckpoint } from "../runs/package.js";
import { Stopwatch } from "../runs/stopwatch.js";
import { failure } from "../runs/terminal.js";
import { writeAtomic } from "../runs/whole-file.js";
import { isSampler, type SamplerName, type Settings, samplers } from "../sample/samplers.js";
import {
  ADAPTER_HELP,
  type EngineOptions,
  type FetchFlags,
  loadNetwork,
  OFFLINE_HELP,
  openEngine,
} from "./parts/engine.js";
import { NET_HELP } from "./parts/published.js";
import { restoredAgain } from "./parts/restored.js";
import { openPictures } from "./parts/vae.js";

interface ReproduceFlags extends EngineOptions, FetchFlags {
  net?: string;
  gnet?: string;
  vae?: string;
  out?: string;
  json?: boolean;
}

/** What a picture says of how it was made. */
interface Origin {
  readonly seed: number;
  readonly classIndex: number | undefined;
  readonly checkpoint: { readonly name: string; readonly sha256: string };
  readonly options: Options;
  readonly adapter: string;
  readonly version: string;
}

/** Largest difference of a byte that another adapter's rounding may make. */
const ROUNDING = 1;

/**
 * Reads the text chunks that `sample` wrote.
 * @throws NcvsdError BAD_ARGUMENT when they are not there, or not whole
 */
function originOf(text: Readonly<Record<string, string>>, name: string): Origin {
  const own = (key: string) => text[`ncvsd-gpu:${key}`];
  if (own("sheet") !== undefined) throw bad(`${name} is a sheet: give one of its pictures.`);
  const [seed, sha256] = [Number(own("seed") ?? Number.NaN), own("checkpoint-sha256")];
  let options: unknown;
  try {
    options = JSON.parse(own("options") ?? "");
  } catch {
    options = undefined;
  }
  const whole = Number.isSafeInteger(seed) && sha256 !== undefined && typeof options === "object" && options !== null;
  if (!whole)
    throw bad(`${name} does not say how it was made: give a picture as \`sample\` wrote it, with its text chunks.`);
  const label = own("class");
  return {
    seed,
    classIndex: label === undefined ? undefined : Number(label),
    checkpoint: { name: own("checkpoint") ?? "", sha256 },
    options: options as Options,
    adapter: own("adapter") ?? "",
    version: own("version") ?? "",
  };
}

/** How two pictures of one size differ. */
interface PixelDifference {
  /** Bytes that are not equal, of all. */
  readonly different: number;
  readonly total: number;
  readonly largest: number;
}

function pixelDifference(a: RawImage, b: RawImage): PixelDifference {
  let [different, largest] = [0, 0];
  a.data.forEach((v, i) => {
    const by = Math.abs(v - b.data[i]!);
    if (by > 0) different++;
    largest = Math.max(largest, by);
  });
  return { different, total: a.data.length, largest };
}

export function registerReproduce(program: Command): void {
  program
    .command("reproduce")
    .summary("make a picture again from what it carries, and compare")
    .description(
      "Makes a picture of `sample` again from its own text chunks: seed, class, options, and the network, which is checked by its " +
        "SHA-256. A picture of `restore` is made by the command in the run's metrics.json, from the folder that it was given in. Then " +
        "compares the two, byte by byte. On another adapter a few bytes may differ by 1.",
    )
    .argument("<picture.png>", "a picture that `sample` or `restore` wrote")
    .option("--net <file>", NET_HELP)
    .option("--gnet <file>", "the second network, where the picture was made with guidance")
    .option("--vae <file>", "the decoder, where the picture was made of latents")
    .option("--out <file>", "also write the new picture")
    .option("--force", "overwrite a file of --out that is not ours")
    .option("--offline", OFFLINE_HELP)
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", "\nExample:\n  ncvsd-gpu reproduce out/000003.png")
    .action(async (file: string, flags: ReproduceFlags) => {
      const given = decodePng(readInput(file), file);
      if (given.text["ncvsd-gpu:image"] !== undefined) return reportRestored(file, given, flags);
      const origin = originOf(given.text, file);
      const { precision, matrices } = origin.options;
      const tensorCores = matrices === undefined ? "off" : "auto";
      const gpu = await openEngine(
        { ...flags, ...(typeof precision === "string" ? { precision } : {}), tensorCores, tuning: false },
        new Stopwatch(),
      );
      try {
        const made = await makeAgain(gpu, origin, flags);
        if (flags.out !== undefined) writeAtomic(flags.out, encodePng(made, given.text));
        report(file, given, made, origin, gpu.info.name, Boolean(flags.json));
      } finally {
        gpu.close();
      }
    });
}

function reportRestored(file: string, given: ReturnType<typeof decodePng>, flags: ReproduceFlags): void {
  const more = Object.entries({ "--net": flags.net, "--adapter": flags.adapter });
  const options = more.flatMap(([option, value]) => (value === undefined ? [] : [option, value]));
  const made = restoredAgain(file, given.text, [...options, ...(flags.offline ? ["--offline"] : [])]);
  if (flags.out !== undefined) writeAtomic(flags.out, encodePng(made, given.text));
  const own = (key: string) => given.text[`ncvsd-gpu:${key}`] ?? "";
  const origin = { seed: Number(own("seed")), adapter: own("adapter"), version: own("version") };
  report(file, given, made, origin, made.text["ncvsd-gpu:adapter"] ?? "", Boolean(flags.json));
}

async function makeAgain(gpu: Gpu, origin: Origin, flags: ReproduceFlags): Promise<RawImage> {
  const { sampler: name, class: _class, precision: _precision, vae, ...rest } = origin.options;
  if (!isSampler(name))
    throw bad(`it was made by the sampler ${JSON.stringify(name)}, which is none of ncvsd-gpu ${origin.version}.`);
  const silent = Boolean(flags.json);
  const model = await loadNetwork(gpu, flags.net ?? bundledCheckpoint, new Stopwatch(), silent, flags);
  await requireSame("--net", model, origin.checkpoint.sha256, origin.checkpoint.name);
  const settings: Record<string, unknown> = { ...samplers[name].settings, ...revived(name, rest) };
  if (typeof rest.gnet === "string") {
    if (flags.gnet === undefined)
      throw bad(`it was made with guidance by a second network: name its file with --gnet.`);
    const gnet = await loadNetwork(gpu, flags.gnet, new Stopwatch(), silent, flags);
    await requireSame("--gnet", gnet, rest.gnet, "");
    settings.gnet = gnet;
  }
  if (typeof vae === "string" && flags.vae === undefined)
    throw bad("it was made of latents: name their decoder with --vae.");
  const pictures = await openPictures(gpu, model, flags.vae === undefined ? {} : { vae: flags.vae });
  const labels = origin.classIndex === undefined ? undefined : [origin.classIndex];
  const sampler = { name: name as SamplerName, settings };
  const { images, shape } = await sampleBatch({ model, sampler }, [origin.seed], labels, () => {});
  const decode = pictures.pictures ?? ((values: Float32Array, of: BatchShape) => imagesFromValues(values, of));
  return (await decode(images, shape))[0]!;
}

/** Settings as they were: what JSON has no number for is text in a record. */
function revived(name: SamplerName, recorded: Options): Settings {
  const known: Settings = samplers[name].settings;
  return Object.fromEntries(
    Object.entries(recorded).flatMap(([key, value]) =>
      Object.hasOwn(known, key) ? [[key, typeof value === "string" && key !== "gnet" ? Number(value) : value]] : [],
    ),
  );
}

async function requireSame(option: string, model: Model, sha256: string, name: string): Promise<void> {
  if ((await model.checkpoint.sha256()) === sha256) return;
  const which = name ? `${name} (SHA-256 ${sha256.slice(0, 12)}…)` : `the one with the SHA-256 ${sha256.slice(0, 12)}…`;
  throw bad(
    `it was made with ${which}, and ${basename(model.checkpoint.name)} is another: name the file with ${option}.`,
  );
}

function report(
  file: string,
  given: RawImage,
  made: RawImage,
  origin: Pick<Origin, "seed" | "adapter" | "version">,
  here: string,
  json: boolean,
): void {
  if (given.width !== made.width || given.height !== made.height || given.channels !== made.channels)
    throw bad(
      `${file} is ${given.width}x${given.height}, and what it says makes ${made.width}x${made.height}: it was changed.`,
    );
  const found = pixelDifference(given, made);
  const same = found.largest <= ROUNDING;
  if (json) {
    const result = { file, seed: origin.seed, identical: found.different === 0, reproduced: same, ...found };
    process.stdout.write(`${JSON.stringify({ ...result, adapter: here, madeOn: origin.adapter })}\n`);
  } else if (same) {
    const bytes =
      found.different === 0 ? "every byte is the same" : `${found.different} of ${found.total} bytes differ by 1`;
    process.stdout.write(`reproduced: ${bytes}\n`);
  }
  if (same) return;
  const where = readableName(origin.adapter) === here ? "" : `, made on ${origin.adapter}, here on ${here}`;
  process.exitCode = 1;
  const how = `${found.different} of ${found.total} bytes differ, by up to ${found.largest}${where}`;
  const why = `it was edited, or made by another version (${origin.version})`;
  process.stderr.write(failure(oneLine(`${file} is not what it says: ${how}: ${why}.`)));
}
