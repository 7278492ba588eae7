import { averaging } from "./averaging.js";
import { gaussianBlur, motionBlur } from "./blur.js";
import { colorization, demosaicing } from "./colours.js";
import { inpainting } from "./inpainting.js";
import { phaseRetrieval } from "./phase-retrieval.js";
import { superResolution } from "./super-resolution.js";

/** The measurement operators, each `(gpu, options) => Operator`: those of the paper (section 5.2) and more. */
export const operators = {
  inpainting,
  gaussianBlur,
  motionBlur,
  superResolution,
  phaseRetrieval,
  averaging,
  colorization,
  demosaicing,
};
