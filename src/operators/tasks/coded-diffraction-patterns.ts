import { counted } from "../../errors.js";
import { uniforms } from "../../random/uniforms.js";
import { errorReduction } from "../baselines.js";
import { operators } from "../operators.js";
import { authors, PHASE_PRESET, SEED, tiled } from "./common.js";
import { task } from "./task.js";

/** Fourier amplitudes of the picture behind random phase masks. */
export const codedDiffractionPatterns = task({
  preset: PHASE_PRESET,
  samplers: authors({ strength: 1, step: 5e-5, hmc: [62, 9.75e-6, 0.019, 0.73] }),
  baselines: errorReduction,
  scale: "own",
  flags: {
    numMeasurements: {
      option: "--num-measurements <n>",
      help: "coded_diffraction_patterns: masks (default: 4)",
      value: { integer: { min: 1, max: 64 } },
    },
    maskSeed: { option: "--mask-seed <n>", help: "coded_diffraction_patterns: which masks (default: 0)", value: SEED },
  },
  make(gpu, shape, { numMeasurements = 4, maskSeed = 0 }) {
    const [channels, h, w] = shape;
    const size = h * w;
    const random = uniforms(maskSeed, 0);
    const masks = new Float32Array(numMeasurements * 2 * size);
    for (let l = 0; l < numMeasurements; l++)
      for (let i = 0; i < size; i++) {
        const phase = 2 * Math.PI * random();
        masks[2 * l * size + i] = Math.cos(phase);
        masks[(2 * l + 1) * size + i] = Math.sin(phase);
      }
    return {
      operator: operators.codedPhase(gpu, { shape, masks }),
      show: (y) => tiled(y, [numMeasurements * channels, h, w]),
      description: `Fourier amplitudes behind ${counted(numMeasurements, "random phase mask")}`,
      options: { numMeasurements, maskSeed },
    };
  },
});
