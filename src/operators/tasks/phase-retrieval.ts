import { bad } from "../../errors.js";
import { errorReduction } from "../baselines.js";
import { operators } from "../operators.js";
import { ANNEALING, authors, PAPER_SIDE, scaleNote, ULA } from "./common.js";
import { task } from "./task.js";

/** Fourier amplitudes of the picture in zeros: oversample * side / 8 pixels on every side (the paper's 128 at 256 and oversample 4). */
export const phaseRetrieval = task({
  preset: { ...ANNEALING, beta: 1e-3, emaSigma: 0.2, emaDecay: 0.6, ula: ULA },
  baselines: errorReduction,
  movable: true,
  scale: "own",
  samplers: authors({ strength: 1, step: 5e-5, hmc: [62, 9.75e-6, 0.019, 0.73] }),
  flags: {
    oversample: {
      option: "--oversample <x>",
      help: "phase_retrieval: zeros around the image, in eighths of its side (default: 4)",
      value: { number: { above: 0, max: 64 } },
    },
  },
  make(gpu, shape, { oversample = 4 }) {
    const [c, h, w] = shape;
    const side = Math.min(h, w);
    const pad = Math.round((oversample * 32 * side) / PAPER_SIDE);
    if (pad < 1) throw bad(`--oversample ${oversample} leaves no zeros around images of ${w}x${h}: take a larger one`);
    return {
      operator: operators.phaseRetrieval(gpu, { shape, pad }),
      show: (y) => ({ values: y, shape: [c, h + 2 * pad, w + 2 * pad], logarithmic: true }),
      description: `Fourier amplitudes of ${c === 1 ? "the image" : "each channel"} in ${w + 2 * pad}x${h + 2 * pad}`,
      notes: side === PAPER_SIDE ? [] : [scaleNote(`${oversample * 32} zeros on every side`, `${pad}`, shape)],
      options: { pad },
    };
  },
});
