import { errorReduction } from "../baselines.js";
import { operators } from "../operators.js";
import { PHASE_PRESET, tiled } from "./common.js";
import { discOf, SCAN_FLAGS, scanOf } from "./scan.js";
import { task } from "./task.js";

/** Amplitudes of low resolution through overlapping parts of the spectrum. */
export const fourierPtychography = task({
  preset: PHASE_PRESET,
  baselines: errorReduction,
  scale: "own",
  flags: SCAN_FLAGS,
  make(gpu, shape, files) {
    const { probe: pupil, size, positions, options } = scanOf(shape, files, discOf(0.5));
    const count = positions.length / 2;
    return {
      operator: operators.fourierPtychography(gpu, { shape, pupil, pupilSize: size, positions }),
      show: (y) => tiled(y, [count * shape[0], size, size]),
      description: `${count} amplitudes through a pupil of ${size}x${size}`,
      options,
    };
  },
});
