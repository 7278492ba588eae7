import { averaging } from "./averaging.js";
import { gaussianBlur, motionBlur } from "./blur.js";
import { colorization, demosaicing } from "./colours.js";
import { decimatedBlur } from "./decimated-blur.js";
import { hadamard } from "./hadamard.js";
import { inpainting } from "./inpainting.js";
import { linear } from "./linear.js";
import { matrix } from "./matrix.js";
import { phaseRetrieval } from "./phase-retrieval.js";
import { separable } from "./separable.js";
import { superResolution } from "./super-resolution.js";
import { varyingBlur } from "./varying-blur.js";

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
  separable,
  decimatedBlur,
  hadamard,
  matrix,
  varyingBlur,
  linear,
};
