import { bad } from "../../errors.js";
import { lineMask } from "../mri.js";
import { operators } from "../operators.js";
import { zeroFilled } from "../simple.js";
import { CG_FLAGS, conjugate, fitting, OWN_PRESET, SEED } from "./common.js";
import { task } from "./task.js";

/** Magnetic resonance: some places of the centred Fourier transform, of one coil or several, of a real picture. */
export const mri = task({
  preset: OWN_PRESET,
  baselines: zeroFilled,
  scale: "linear",
  flags: {
    mask: {
      option: "--mask <file>",
      help: "mri: H x W ones (measured) and zeros, or W for whole columns (default: that of the measurement's file, else lines)",
      value: { file: "array" },
      excludes: ["acceleration", "centre", "maskSeed"],
    },
    maps: {
      option: "--maps <file>",
      help: "mri: sensitivities of the coils, K x 2 x H x W values",
      value: { file: "array" },
    },
    acceleration: {
      option: "--acceleration <x>",
      help: "mri: how many times fewer lines than columns (default: 4)",
      value: { number: { min: 1 } },
    },
    centre: {
      option: "--centre <x>",
      help: "mri: share of the lines in the middle that are all measured (default: 0.08, above acceleration 6 0.04)",
      value: { number: { min: 0, max: 1 } },
    },
    maskSeed: { option: "--mask-seed <n>", help: "mri: which of the other lines (default: 0)", value: SEED },
    ...CG_FLAGS,
  },
  make(gpu, shape, options) {
    const [channels, h, w] = shape;
    if (channels !== 1)
      throw bad(
        `--task mri restores real pictures: the network's have ${channels} channels, give a grey one (the library takes complex ones)`,
      );
    const { mask: file, maps, acceleration = 4, centre, maskSeed = 0 } = options;
    if (file && file.values.length !== w) fitting("--mask", file, [h, w]);
    const lines = { lines: w, acceleration, seed: maskSeed, ...(centre === undefined ? {} : { centre }) };
    const mask = file?.values ?? lineMask(lines);
    const { solver, record } = conjugate(options);
    const coils = maps ? maps.values.length / (2 * h * w) : 1;
    if (maps) fitting("--maps", maps, [Math.max(1, Math.floor(coils)), 2, h, w]);
    const operator = operators.mri(gpu, { shape, mask, ...(maps ? { maps: maps.values, ...solver } : {}) });
    const size = h * w;
    const known = Float32Array.from({ length: 2 * coils * size }, (_, i) => mask[i % mask.length]!);
    const share = mask.reduce((a, b) => a + b, 0) / mask.length;
    return {
      operator,
      mask: known,
      // Magnitudes, of all coils together.
      show(y) {
        const values = Float32Array.from({ length: size }, (_, i) => {
          let square = 0;
          for (let plane = 0; plane < 2 * coils; plane++) square += y[plane * size + i]! ** 2;
          return Math.sqrt(square);
        });
        return { values, shape: [1, h, w], logarithmic: true };
      },
      description: `k-space${coils > 1 ? ` of ${coils} coils` : ""}, ${(100 * share).toFixed(0)}% measured`,
      options: {
        ...(file ? { mask: file.sha256 } : { acceleration, maskSeed, ...(centre === undefined ? {} : { centre }) }),
        ...(maps ? { maps: maps.sha256, ...record } : {}),
      },
    };
  },
});
