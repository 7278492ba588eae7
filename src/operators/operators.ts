import { gaussianBlur, motionBlur } from "./blur.js";
import { inpainting } from "./inpainting.js";
import { phaseRetrieval } from "./phase-retrieval.js";
import { superResolution } from "./super-resolution.js";

/** The measurement operators of the paper (section 5.2), each `(gpu, options) => Operator`. */
export const operators = { inpainting, gaussianBlur, motionBlur, superResolution, phaseRetrieval };
