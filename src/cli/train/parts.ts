import type { Dataset } from "../../data/dataset.js";
import { shapeText } from "../../data/inputs.js";
import { bad, counted, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { ImageShape } from "../../networks/session.js";
import type { TrainingData } from "../../train/data.js";
import { type NetworkTensors, networkTensors } from "../../train/source.js";
import { fetching } from "../parts/engine.js";
import type { CommonFlags } from "./common-flags.js";

/** Images of a round that `auto` takes at most: more are no faster. */
const MOST_AUTO = 64;

/** Channels, height and width of what the network sees: a latent's means and deviations are one draw. */
export function imageShape({ shape: [channels, height, width], kind }: Dataset): ImageShape {
  return [kind === "latents" ? channels / 2 : channels, height, width];
}

/**
 * Reads the EDM2 network that an option names, and checks that it makes what the data are.
 * @param option with its dashes  @param name a file, an address or a name
 */
export async function readTeacher(
  option: string,
  name: string,
  { flags, dataset, silent }: { readonly flags: CommonFlags; readonly dataset: Dataset; readonly silent: boolean },
): Promise<NetworkTensors & { readonly tensors: ReadonlyMap<string, Float32Array> }> {
  const read = await fetching(flags, silent, (options) => networkTensors(option, name, undefined, options));
  const { img_channels: channels, img_resolution: side } = read.config;
  const own = [channels, side, side];
  if (own.join() !== imageShape(dataset).join())
    throw bad(
      `--data ${flags.data} has ${dataset.kind === "latents" ? "latents" : "images"} of ${shapeText(dataset.shape)}, but ${option} ${name} makes ${shapeText(own)}`,
    );
  return { ...read, tensors: read.tensors! };
}

/** Says what a damaged picture can be answered with. */
export function guarded(feed: TrainingData, skipBad: boolean): TrainingData {
  const batch = async (positions: readonly number[]) => {
    try {
      return await feed.batch(positions);
    } catch (error) {
      if (skipBad || !(error instanceof NcvsdError)) throw error;
      throw bad(`${error.message.replace(/\.$/, "")}: mend it, or go on without it with --skip-bad`, error);
    }
  };
  return { ...feed, batch };
}

export function classText({ labels }: Dataset): string {
  if (labels.dim === 0) return "no labels";
  return labels.classes
    ? `${labels.dim} class${labels.dim === 1 ? "" : "es"}`
    : `labels of ${counted(labels.dim, "number")}`;
}

/** Names of the classes, where there is one for each. */
export function classNames({ classes, labels }: Dataset): readonly string[] | undefined {
  return labels.classes && classes?.length === labels.dim ? classes : undefined;
}

/**
 * What is trained, opened with the largest round that fits where that is asked for.
 * @param stored `batchGpu` of the state that it goes on from: part of its bits
 */
export async function largestRound<T extends { close(): void }>(
  asked: { readonly gpu: Gpu; readonly batch: number; readonly wished: number | "auto"; readonly stored: unknown },
  at: (batchGpu: number) => Promise<T>,
): Promise<T> {
  const { gpu, batch, stored } = asked;
  const auto = asked.wished === "auto";
  if (auto && typeof stored === "number" && batch % stored === 0) return at(stored);
  const wished = auto ? MOST_AUTO : (asked.wished as number);
  const sizes = Array.from({ length: Math.min(wished, batch) }, (_, i) => Math.min(wished, batch) - i).filter(
    (n) => batch % n === 0,
  );
  let refusal: NcvsdError | undefined;
  for (const batchGpu of sizes) {
    let opened: T;
    try {
      opened = await at(batchGpu);
    } catch (error) {
      if (!(error instanceof NcvsdError) || error.code !== "OUT_OF_MEMORY") throw error;
      refusal ??= error;
      continue;
    }
    if (!refusal || auto) return opened;
    opened.close();
    throw new NcvsdError(
      "OUT_OF_MEMORY",
      `--batch-gpu ${wished} does not fit ${gpu.info.name}: the largest part of --batch ${batch} that does is ${batchGpu}`,
      { cause: refusal },
    );
  }
  throw refusal;
}
