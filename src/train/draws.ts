import { normals, philox4x32 } from "../../kernels/lib/philox.js";

/** What is drawn for an image of a round, as the numbers of the generator's draws. */
export const DRAWS = { latent: 0, level: 1, noise: 2, dropout: 3 } as const;

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
