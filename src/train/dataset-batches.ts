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
  const read = async (positions: readonly number[]): Promise<DatasetItem[]> => {
    const items: DatasetItem[] = [];
    for (let at = 0; at < positions.length; at += AT_ONCE) {
      const some = positions.slice(at, at + AT_ONCE).map((position) => set.item(order(seed, set.length, position)));
      items.push(...(await Promise.all(some)));
    }
    return items;
  };
  // The next batch is read while this one is trained on: as far after it as it is after the one before.
  let last: readonly number[] = [];
  let ahead: { key: string; items: Promise<DatasetItem[]> } | undefined;
  const readAhead = (positions: readonly number[]) => {
    const step = last.length === positions.length ? positions[0]! - last[0]! : positions.length;
    last = positions;
    const next = positions.map((position) => position + step);
    if (!next.every((position) => position >= 0)) return;
    ahead = { key: next.join(), items: read(next) };
    // Whoever asks for them is told.
    ahead.items.catch(() => {});
  };
  return {
    fingerprint: await set.fingerprint(),
    async batch(positions) {
      const guessed = ahead?.key === positions.join();
      const items = await (guessed ? ahead!.items : read(positions));
      // After a wrong guess wait for another batch: what is read in vain costs as much as what is not.
      if (guessed || !ahead) readAhead(positions);
      else {
        last = positions;
        ahead = undefined;
      }
      const images = new Float32Array(items.length * size);
      for (const [i, item] of items.entries()) put(images, i * size, item, positions[i]!);
      if (dim === 0) return { images };
      if (classes) return { images, labels: items.map((item) => item.class!) };
      const labels = new Float32Array(items.length * dim);
      for (const [i, { label }] of items.entries()) labels.set(label, i * dim);
      return { images, labels };
    },
  };
}
