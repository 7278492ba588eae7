import { bad, NcvsdError } from "../errors.js";
import { type Gpu, mib } from "../gpu/device.js";
import type { ImageShape, Labels } from "./session.js";

/** Number of images in a flat NCHW array. */
export function batchOf(name: string, values: Float32Array, shape: ImageShape): number {
  const one = shape[0] * shape[1] * shape[2];
  if (!(values instanceof Float32Array)) throw bad(`${name} must be a Float32Array (N, C, H, W).`);
  if (values.length === 0 || values.length % one !== 0) {
    throw bad(
      `${name} has ${values.length} values, which is no multiple of ${shape.join(" x ")} = ${one} of one image.`,
    );
  }
  const at = values.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) throw bad(`${name} holds ${values[at]} at index ${at}: every value must be finite.`);
  return values.length / one;
}

/** Refuses a batch whose images alone are too many for a buffer or the memory, before anything is made for it. */
export function requireRoom(
  model: { readonly gpu: Gpu; readonly shape: ImageShape; largestBatch?(atMost: number): number },
  batch: number,
): void {
  const { gpu, shape } = model;
  const bytes = 4 * shape[0] * shape[1] * shape[2];
  const { maxStorageBufferBindingSize, maxBufferSize } = gpu.device.limits;
  const most = Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize, gpu.memoryLimit ?? Infinity) / bytes);
  if (batch <= most) return;
  const fits = model.largestBatch?.(most) ?? most;
  const message = `A batch of ${batch} images of ${shape.join(" x ")} needs ${mib(batch * bytes)} for the images alone, which is more than ${gpu.info.name} can hold in its memory or in one buffer: the largest batch that fits is ${fits}.`;
  throw new NcvsdError("OUT_OF_MEMORY", message);
}

/**
 * Largest batch, `atMost` at most, whose share of what there is stays at or below 1; 0 where a single image exceeds it.
 * Shares grow in a straight line with the batch, nearly: two of them say where to look, halving ends it.
 */
export function largestThatFits(share: (batch: number) => number, atMost: number): number {
  const point = (batch: number) => ({ batch, share: share(batch) });
  if (atMost < 1) return 0;
  if (share(atMost) <= 1) return atMost;
  let before = { batch: 0, share: 0 };
  let last = point(1);
  if (last.share > 1) return 0;
  let [fits, tooLarge] = [1, atMost + 1];
  for (let tries = 0; tooLarge - fits > 1; tries++) {
    const line = last.batch + ((1 - last.share) * (last.batch - before.batch)) / (last.share - before.share);
    const next = tries < 8 && Number.isFinite(line) ? Math.floor(line) : Math.floor((fits + tooLarge) / 2);
    before = last;
    last = point(Math.min(Math.max(next, fits + 1), tooLarge - 1));
    if (last.share <= 1) fits = last.batch;
    else tooLarge = last.batch;
  }
  return fits;
}

/** Throws unless `values` holds `batch` images. */
export function requireBatch(name: string, values: Float32Array, shape: ImageShape, batch: number): void {
  const found = batchOf(name, values, shape);
  if (found !== batch) throw bad(`${name} holds ${found} images where ${batch} are needed.`);
}

/** One noise level per image, as f32; a single one serves the whole batch. */
export function sigmaRow(
  name: string,
  sigma: number | ArrayLike<number> | undefined,
  batch: number,
): Float32Array<ArrayBuffer> {
  if (sigma === undefined) throw bad(`${name} is missing: give one noise level, or one per image.`);
  const list = typeof sigma === "number" ? [sigma] : Array.from(sigma ?? []);
  if (list.length !== 1 && list.length !== batch)
    throw bad(`${name} has ${list.length} levels for ${batch} images: give 1 or ${batch}.`);
  for (const value of list) {
    if (!(value > 0 && Number.isFinite(Math.fround(value)) && Math.fround(value) > 0)) {
      throw bad(`${name} must be positive and finite, got ${value}.`);
    }
  }
  return Float32Array.from({ length: batch }, (_, i) => list[list.length === 1 ? 0 : i]!);
}

/** Rows of label weights [N, label_dim]; empty where label_dim is 0. */
export function labelRows(labels: Labels | undefined, batch: number, labelDim: number): Float32Array<ArrayBuffer> {
  const rows = new Float32Array(batch * labelDim);
  if (labels === undefined) return rows;
  if (!Array.isArray(labels) && !ArrayBuffer.isView(labels))
    throw bad(`labels must be a list of classes or a Float32Array of weights, got ${String(labels)}.`);
  if (labels instanceof Float32Array) {
    if (labelDim === 0) {
      if (labels.length > 0) throw bad("labels were given to a network without classes: leave them out.");
      return rows;
    }
    if (labels.length !== rows.length && labels.length !== labelDim) {
      throw bad(`labels have ${labels.length} weights: ${batch} x ${labelDim} are needed (or one row of ${labelDim}).`);
    }
    for (let i = 0; i < rows.length; i++) {
      const value = labels[labels.length === labelDim ? i % labelDim : i]!;
      if (!Number.isFinite(value)) throw bad(`labels hold ${value} at index ${i}: weights must be finite.`);
      rows[i] = value;
    }
    return rows;
  }
  if (labels.length !== batch && labels.length !== 1)
    throw bad(`labels has ${labels.length} classes for ${batch} images: give 1 or ${batch}.`);
  for (let n = 0; n < batch; n++) {
    const label = labels[labels.length === 1 ? 0 : n]!;
    if (label === -1) continue;
    if (!Number.isInteger(label) || label < 0 || label >= labelDim) {
      const range =
        labelDim === 0
          ? "the network has no classes, only -1 is possible"
          : `classes are 0 to ${labelDim - 1}, or -1 for none`;
      throw bad(`label ${label} of image ${n}: ${range}.`);
    }
    rows[n * labelDim + label] = 1;
  }
  return rows;
}
