import { bad } from "../errors.js";
import type { NetworkConfig } from "../networks/edm2/arguments.js";
import { labelRows } from "../networks/inputs.js";
import type { Labels } from "../networks/session.js";

/** Images to train on, when a round brings none. */
export interface TrainingData {
  /** Tells data sets apart: a resumed run wants the one it had. */
  readonly fingerprint?: string;
  /** Images [N, C, H, W] and labels of positions of the endless, shuffled sequence: all that an update still needs, or a worker's part of it. */
  batch(positions: readonly number[]): Promise<{ images: Float32Array; labels?: Labels | undefined }>;
}

/** The places of the images of `count` rounds of `size`, the first of which begins at `start`. */
export const placesOf = (start: number, size: number, count: number): number[][] =>
  Array.from({ length: count }, (_, r) => Array.from({ length: size }, (_, i) => start + r * size + i));

/**
 * Images and labels of rounds: those given, the others of the data, read in one go.
 * @param what "training" or "distillation", for messages  @param places of each round's images
 * @throws BAD_ARGUMENT where there are no data, or not what they should be
 */
export async function imagesOf(
  what: string,
  rounds: readonly { readonly images?: Float32Array; readonly labels?: Labels }[],
  places: readonly (readonly number[])[],
  data: TrainingData | undefined,
  { img_channels: channels, img_resolution: side, label_dim: classes }: NetworkConfig,
): Promise<{ images: Float32Array; labels?: Labels | undefined }[]> {
  const wanted = places.filter((_, r) => rounds[r]!.images === undefined).flat();
  if (wanted.length === 0) return rounds as { images: Float32Array; labels?: Labels }[];
  if (!data) throw bad(`step: a round has no images, and the ${what} was opened without data.`);
  const { images: all, labels: read } = await data.batch(wanted);
  const size = channels * side * side;
  if (!(all instanceof Float32Array) || all.length !== wanted.length * size)
    throw bad(`step: the data gave ${all?.length} values for ${wanted.length} images of ${size}.`);
  const rows = labelRows(classes > 0 ? read : undefined, wanted.length, classes);
  let at = 0;
  return places.map(({ length }, r) => {
    const { images, labels } = rounds[r]!;
    if (images !== undefined) return { images, labels };
    const from = at;
    at += length;
    return { images: all.subarray(from * size, at * size), labels: rows.subarray(from * classes, at * classes) };
  });
}
