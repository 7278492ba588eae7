import { normals, philox4x32 } from "../../kernels/lib/philox.js";

/** What is drawn for an image of a round, as the numbers of the generator's draws. */
export const DRAWS = { latent: 0, level: 1, noise: 2, dropout: 3, known: 4 } as const;

/** Apart from the streams of samplers, whose key is the seed itself. */
const TRAINING = 0x7472_6e67;

/**
 * The generator's key of an image: every draw hangs on (seed, number of the image in the whole run), never on the process, the
 * round or how often something was drawn. Up to 2^32 images have keys of their own.
 */
export function imageKey(seed: number, image: number): number {
  return (philox4x32([0, 0, 0, TRAINING], [seed, 0])[0] + (image % 2 ** 32)) % 2 ** 32;
}

/** The standard normal value that decides an image's noise level. */
export function levelDraw(key: number, stream = 0): number {
  return Math.fround(normals(key, stream + DRAWS.level, 1)[0]!);
}

/** The noise levels of conditions: 1000 of EDM's schedule with rho 7, index 0 the highest. */
const LEVELS = 1000;
const HIGHEST = 80 ** (1 / 7);
const LOWEST = 0.002 ** (1 / 7);

/** The noise level of an image's condition: one of 1000, all alike likely. */
export function conditionLevel(key: number): number {
  const word = philox4x32([0, 1, 0, 1], [key, 0])[0];
  const index = Math.floor((word / 2 ** 32) * LEVELS);
  return Math.fround((HIGHEST + (index / (LEVELS - 1)) * (LOWEST - HIGHEST)) ** 7);
}
