/** What the numbers mean. */
import type { TaskName } from "../engine/protocol.js";

/** Samples that differ by less are taken to agree: a twentieth of the way from black to white. */
const AGREED = 0.05;

const percent = (share: number) => `${Math.round(100 * share)}%`;

/** Noise levels of which fewer fit badly. */
const ENOUGH_LEVELS = 40;

export function chiWords(chi2: number, levels = ENOUGH_LEVELS): string {
  const value = `chi² ${chi2.toFixed(2)}`;
  if (chi2 < 0.7) return `${value}: the samples follow the measurement more closely than its noise warrants.`;
  if (chi2 <= 1.4) return `${value}: the samples explain the measurement as well as its noise allows; 1 is ideal.`;
  if (chi2 <= 3) return `${value}: near the measurement, but not within its noise; 1 would be ideal.`;
  if (levels < ENOUGH_LEVELS)
    return `${value}: the samples do not explain the measurement yet; more noise levels help.`;
  return `${value}: the samples do not explain the measurement. Pictures like this one are not what the network was trained on, or the problem is too hard for it.`;
}

/** What is certain and what is guessed, from the standard deviations of the samples. */
export function certainty(std: Float32Array, task: TaskName, mask: Uint8Array | undefined): string[] {
  const agreed = std.reduce((n, v) => n + Number(v < AGREED), 0) / std.length;
  const most = std.reduce((a, b) => Math.max(a, b), 0);
  const first = `Certain: in ${percent(agreed)} of the picture the samples agree to within a twentieth of black to white.`;
  const guess = `Guessed: where the map is bright they differ, by ${percent(most)} of black to white at most.`;
  if (!mask) return [first, `${guess} ${WHY[task]}`];
  const mean = (known: number) => {
    const values = std.filter((_, i) => mask[i] === known);
    return values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
  };
  const ratio = mean(0) / Math.max(1e-6, mean(1));
  const times =
    ratio > 1.5
      ? `${ratio.toFixed(ratio < 10 ? 1 : 0)} times as far apart there as where it was seen`
      : "hardly further apart there than where it was seen";
  return [first, `${guess} What you hid is drawn anew in each sample: they are ${times}.`];
}

const WHY: Record<TaskName, string> = {
  mask: "",
  box: "",
  blur: "Fine detail is what the blur took away, and edges are where it shows.",
  motion: "Detail along the path of the camera is what the blur took away.",
  super: "One number stands for a whole block of pixels: how it is spread inside is a guess.",
  phase: "Amplitudes do not tell where the picture lies, nor which way round: samples may be shifted or turned.",
};
