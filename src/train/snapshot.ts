import { narrowF16, type TensorToWrite, writeSafetensors } from "../checkpoint/index.js";
import type { Architecture, NetworkConfig } from "../networks/edm2/arguments.js";
import type { TIMELESS } from "../networks/edm2/timeless.js";
import { snapshotName } from "./snapshot-name.js";

/** An average as it is kept for use: what `loadModel` opens and `phema` reads. */
export interface Snapshot {
  /** `network-snapshot-KKKKKKK-S.SSS.safetensors`, as the reference calls it. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface SnapshotOptions {
  /** First part of the name: "network-snapshot" of a teacher, "snapshot" of a distilled generator. */
  readonly kind: string;
  readonly architecture: Architecture | typeof TIMELESS;
  readonly config: NetworkConfig;
  /** What else the file says. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Names of the classes. */
  readonly labels?: readonly string[] | undefined;
  /** Images seen, and relative standard deviation of the average. */
  readonly images: number;
  readonly std: number;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

/** Values in 16 bits, as the reference stores them; a tensor with values beyond their range keeps 32. */
export function makeSnapshot(options: SnapshotOptions): Snapshot {
  const { kind, architecture, config, labels, images, std } = options;
  const tensors = Array.from(options.shapes, ([name, shape]): TensorToWrite => {
    const values = options.tensors.get(name)!;
    const data = narrowF16(values);
    const fits = data.every((bits, i) => (bits & 0x7c00) !== 0x7c00 || !Number.isFinite(values[i]!));
    return fits ? { name, shape, dtype: "F16", data } : { name, shape, dtype: "F32", data: values };
  });
  const bytes = writeSafetensors(tensors, {
    ...{ format: "pt", tool: "ncvsd-gpu", architecture, config: JSON.stringify(config) },
    ...(labels && { labels: JSON.stringify(labels) }),
    ...options.metadata,
    ...{ ema_std: String(std), ema_images: String(images) },
  });
  return { name: `${snapshotName(kind, images, std)}.safetensors`, bytes };
}
