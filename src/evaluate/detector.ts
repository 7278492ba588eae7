import type { CheckpointInput, FetchOptions } from "../checkpoint/index.js";
import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { fromByte } from "../image/pixels.js";
import { FeatureExtractor, type Features } from "../networks/features/extractor.js";
import { type FeatureInput, loadFeatures } from "../networks/features/load.js";
import type { ImageShape } from "../networks/session.js";
import type { MeasuredBy } from "./feature-run.js";

/** A feature network that pictures are measured by. */
export interface Detector {
  readonly source: MeasuredBy;
  /** The only shape of pictures that it takes; absent: any. */
  readonly input?: ImageShape;
  /** Of its classifier; 0: it has none. */
  readonly classes: number;
  /** Features [N, dim] of 8-bit pictures [N, C, H, W]. */
  measure(pictures: FeatureInput): Promise<Features>;
  close(): Promise<void>;
}

/** A small network of pictures of one size, such as the bundled one. @throws BAD_CHECKPOINT when the file holds none that is known */
export async function smallDetector(gpu: Gpu, input: CheckpointInput): Promise<Detector> {
  const extractor = await FeatureExtractor.open(gpu, input);
  return {
    source: extractor.source,
    input: extractor.input,
    classes: extractor.architecture.classes,
    measure: ({ images }) => extractor.extract(Float32Array.from(images, fromByte)),
    close: () => extractor.close(),
  };
}

/** EDM2's metrics: whose features they compare. */
const KINDS = {
  fid: { begins: "inception-v3-fid", is: "Inception-v3 of FID" },
  fd_dinov2: { begins: "dinov2-", is: "DINOv2" },
} as const;

export type Metric = keyof typeof KINDS;
export const METRICS = Object.keys(KINDS) as Metric[];

/**
 * The network of one of EDM2's metrics, from any file in which it is published.
 * @throws BAD_CHECKPOINT or BAD_ARGUMENT when the file holds another network
 */
export async function metricDetector(
  gpu: Gpu,
  metric: Metric,
  input: CheckpointInput,
  options: FetchOptions & { readonly variant?: string } = {},
): Promise<Detector> {
  const network = await loadFeatures(gpu, input, options);
  const { begins, is } = KINDS[metric];
  const { name, dims, variant, sha256 } = network;
  if (!name.startsWith(begins)) {
    await network.close();
    throw bad(`${metric} needs ${is}, but ${String(input)} holds ${name}: name another file`);
  }
  return {
    source: { metric, name, dim: dims, variant, sha256 },
    classes: 0,
    measure: async (pictures) => ({ features: await network.features(pictures) }),
    close: () => network.close(),
  };
}
