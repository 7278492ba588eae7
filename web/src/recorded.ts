/** What was recorded earlier: it stands in the page until something is computed, and where nothing can be. */
import { outcome } from "./desk/outcome.js";
import { PIXELS } from "./engine/protocol.js";
import { hero } from "./generate/sheet.js";
import { tilesOf } from "./parts/pixels.js";
import { firstMask } from "./state.js";

/** Of a row of posterior.png: the truth, the measurement, the samples. */
const SAMPLES = 6;

class Recorded {
  classes: readonly Float32Array[] = [];
  posterior: readonly Float32Array[] = [];
  /** Rows of a noisy picture and six draws. */
  noisy: readonly Float32Array[] = [];
  /** Pairs of what goes in and what comes out: of one step, two, four; then the teacher's picture twice. */
  steps: readonly Float32Array[] = [];

  async load(): Promise<void> {
    // They stand in the page itself.
    const stored = (name: string) => tilesOf(document.querySelector<HTMLImageElement>(`img[data-stored=${name}]`)!.src);
    const names = ["classes", "posterior", "noisy", "steps"];
    const [classes, posterior, noisy, steps] = await Promise.all(names.map(stored));
    Object.assign(this, { classes, posterior, noisy, steps });
  }
}

export const recorded = new Recorded();

/** Puts the recorded pictures where nothing is yet. */
export function showRecorded(): void {
  const { classes, posterior } = recorded;
  hero.value = { images: classes.slice(0, 10), labels: classes.slice(0, 10).map((_, i) => i), seeds: [] };
  const [truth, measured, ...samples] = posterior.slice(0, 2 + SAMPLES);
  const images = new Float32Array(SAMPLES * PIXELS);
  samples.forEach((sample, i) => {
    images.set(sample, i * PIXELS);
  });
  outcome.value = {
    ...{ phase: "recorded", task: "mask", runs: SAMPLES, truth: truth!, mask: firstMask(), images },
    measured: { values: measured!, shape: [32, 32], amplitudes: false },
  };
}
