/// <reference lib="esnext.disposable" preserve="true" />
/** Measures of images and of samples, feature networks: `ncvsd-gpu/evaluate`. */
export { type ErrorCode, NcvsdError } from "../errors.js";
export {
  type Coverage,
  calibrationFactor,
  coverage,
  densityRanks,
  mmseGap,
  type RankOptions,
  rankHistogram,
  ranks,
  type SampleSet,
} from "../evaluate/calibration.js";
export { fisherError, type GridOptions, gridWasserstein1, phiOnGrid } from "../evaluate/conditionals.js";
export { type FeatureStatistics, frechetDistance } from "../evaluate/same-features.js";
export { type ReadStatisticsOptions, readStatistics, writeStatistics } from "../evaluate/statistics-file.js";
export { slicedWasserstein, wasserstein1 } from "../evaluate/wasserstein.js";
export { type PictureShape, psnr, ssim } from "../image/quality.js";
export {
  type FeatureInput,
  type FeatureNetwork,
  type LoadFeaturesOptions,
  loadFeatures,
} from "../networks/features/load.js";
