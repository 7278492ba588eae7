import { normals } from "../../kernels/lib/philox.js";
import type { Dataset, DatasetItem } from "../data/dataset.js";
import { order } from "../data/order.js";
import { bad } from "../errors.js";
import type { ImageShape } from "../networks/session.js";
import type { TrainingData } from "./data.js";
import { DRAWS, imageKey } from "./draws.js";

/** Files that are open at a time. */
const AT_ONCE = 64;

export interface BatchOptions {
  readonly seed: number;
  /** Of the network's images. */
  readonly shape: ImageShape;
  /** The network's classes; a data set without labels gives none. */
  readonly labelDim: number;
  /** Of latents, per channel: scale = 0.5 / std and bias = -mean scale of the raw ones. */
  readonly latents?: { readonly scale: readonly number[]; readonly bias: readonly number[] };
}

type Batch = Awaited<ReturnType<TrainingData["batch"]>>;

/**
 * A data set as the images of a training: position p of the run takes item order(seed, length, p), so what a position sees hangs on
 * nothing else. A training's state refuses another data set; a folder is read for that as a whole. Of latents
 * x = (mean + std z) scale + bias, z drawn for the position.
 * @throws BAD_ARGUMENT when the data set is not what the network takes
 */
export async function batchesOf(set: Dataset, options: BatchOptions): Promise<TrainingData> {
  const { seed, shape, labelDim, latents } = options;
  const means = set.shape[0] / 2;
  const own = set.kind === "latents" ? [means, set.shape[1], set.shape[2]] : set.shape;
  if (own.join() !== shape.join())
    throw bad(`${set.path} has ${set.kind} of [${own}] (channels, height, width), but the network takes [${shape}].`);
  if (set.kind === "latents" && !(latents?.scale.length === means && latents.bias.length === means))
    throw bad(`${set.path} holds latents: their scale and bias are needed, ${means} numbers each.`);
  const { dim, classes } = set.labels;
  if (classes ? dim > labelDim : dim > 0 && dim !== labelDim)
    throw bad(
      `${set.path} has labels of ${dim}, but the network takes ${labelDim}: train without labels, or another network.`,
    );
  const size = shape[0] * shape[1] * shape[2];

  const put = (target: Float32Array, at: number, { image }: DatasetItem, position: number) => {
    if (set.kind === "pictures") return target.set(image, at);
    const z = normals(imageKey(seed, position), DRAWS.latent, size);
    const plane = shape[1] * shape[2];
    for (let i = 0; i < size; i++) {
      const channel = Math.floor(i / plane);
      target[at + i] = (image[i]! + image[size + i]! * z[i]!) * latents!.scale[channel]! + latents!.bias[channel]!;
    }
  };
  // Items are put where they belong as they come, not kept: the batch of an update may be large.
  const read = async (positions: readonly number[]): Promise<Batch> => {
    const images = new Float32Array(positions.length * size);
    const found: number[] = [];
    const labels = new Float32Array(classes ? 0 : positions.length * dim);
    for (let from = 0; from < positions.length; from += AT_ONCE) {
      const some = positions.slice(from, from + AT_ONCE);
      const items = await Promise.all(some.map((position) => set.item(order(seed, set.length, position))));
      for (const [i, item] of items.entries()) {
        put(images, (from + i) * size, item, some[i]!);
        if (classes) found.push(item.class!);
        else labels.set(item.label, (from + i) * dim);
      }
    }
    return dim === 0 ? { images } : { images, labels: classes ? found : labels };
  };
  // The next batch is read while this one is trained on: as far after it as it is after the one before.
  let last: readonly number[] = [];
  let ahead: { key: string; read: Promise<Batch> } | undefined;
  const readAhead = (positions: readonly number[]) => {
    const step = last.length === positions.length ? positions[0]! - last[0]! : positions.length;
    last = positions;
    const next = positions.map((position) => position + step);
    if (!next.every((position) => position >= 0)) return;
    ahead = { key: next.join(), read: read(next) };
    // Whoever asks for them is told.
    ahead.read.catch(() => {});
  };
  return {
    fingerprint: await set.fingerprint(),
    async batch(positions) {
      const guessed = ahead?.key === positions.join() ? ahead.read : undefined;
      // What failed is read anew when it is asked for again.
      if (guessed) ahead = undefined;
      const batch = await (guessed ?? read(positions));
      // After a wrong guess wait for another batch: what is read in vain costs as much as what is not.
      if (guessed || !ahead) readAhead(positions);
      else {
        last = positions;
        ahead = undefined;
      }
      return batch;
    },
  };
}
