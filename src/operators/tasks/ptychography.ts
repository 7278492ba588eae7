import { errorReduction } from "../baselines.js";
import { operators } from "../operators.js";
import { PHASE_PRESET, tiled } from "./common.js";
import { discOf, SCAN_FLAGS, scanOf } from "./scan.js";
import { task } from "./task.js";

/** Diffraction amplitudes of overlapping parts of the picture. */
export const ptychography = task({
  preset: PHASE_PRESET,
  baselines: errorReduction,
  scale: "own",
  flags: SCAN_FLAGS,
  make(gpu, shape, files) {
    const { probe, size, positions, options } = scanOf(shape, files, discOf(0.5));
    const count = positions.length / 2;
    return {
      operator: operators.ptychography(gpu, { shape, probe, probeSize: size, positions }),
      show: (y) => tiled(y, [count * shape[0], size, size]),
      description: `${count} diffraction amplitudes under a probe of ${size}x${size}`,
      options,
    };
  },
});
