import { averaging } from "./averaging.js";
import { gaussianBlur, motionBlur } from "./blur.js";
import { codedPhase } from "./coded-phase.js";
import { colorization, demosaicing } from "./colours.js";
import { decimatedBlur } from "./decimated-blur.js";
import { hadamard } from "./hadamard.js";
import { hdr } from "./hdr.js";
import { inpainting } from "./inpainting.js";
import { jpeg } from "./jpeg.js";
import { linear } from "./linear.js";
import { matrix } from "./matrix.js";
import { mri } from "./mri.js";
import { phaseRetrieval } from "./phase-retrieval.js";
import { poisson } from "./poisson.js";
import { fourierPtychography, ptychography } from "./ptychography.js";
import { quantization } from "./quantization.js";
import { separable } from "./separable.js";
import { superResolution } from "./super-resolution.js";
import { tomography } from "./tomography.js";
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
  ptychography,
  fourierPtychography,
  tomography,
  mri,
  codedPhase,
  poisson,
  jpeg,
  quantization,
  hdr,
};
