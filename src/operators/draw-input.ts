import { bad, checkKeys } from "../errors.js";
import { checkPositive, countOf, volume } from "./check.js";
import type { Operator, ProximalInput } from "./operator.js";

/** For checkKeys. */
const PROXIMAL = { x: true, y: true, sigma: true, rho: true, noise: true, noiseY: true, seeds: true } as const;

/** Number of measurements in y, which must be `batch` where that is said. */
export function measurementsOf(
  name: string,
  { measurementShape }: Pick<Operator, "measurementShape">,
  y: Float32Array,
  batch?: number,
): number {
  const found = countOf(`${name}: y`, y, volume(measurementShape), measurementShape);
  if (batch !== undefined && found !== batch)
    throw bad(`${name}: y holds ${found} measurements for ${batch} images: they must agree.`);
  return found;
}

/**
 * Checks what `sampleProximal` is given.
 * @param withoutNoise sigma may be 0
 * @returns the number of images
 */
export function checkDraw(
  name: string,
  operator: Pick<Operator, "shape" | "measurementShape"> & { readonly noiseShape?: readonly number[] | undefined },
  input: ProximalInput,
  withoutNoise = false,
): number {
  checkKeys(`${name}: sampleProximal`, input, PROXIMAL);
  const { x, y, sigma, rho, noise, noiseY } = input;
  const { shape, noiseShape } = operator;
  const batch = countOf(`${name}: x`, x, volume(shape), shape);
  measurementsOf(name, operator, y, batch);
  if (!(withoutNoise && sigma === 0)) checkPositive(name, "sigma", sigma);
  checkPositive(name, "rho", rho);
  if (noise && countOf(`${name}: noise`, noise, volume(shape), shape) !== batch)
    throw bad(`${name}: noise must have the ${x.length} values of x, got ${noise.length}.`);
  if (noiseY && !noiseShape) throw bad(`${name}: its likelihood step takes one draw: leave noiseY out.`);
  const second = volume(noiseShape ?? []);
  if (noiseY && countOf(`${name}: noiseY`, noiseY, second, noiseShape!) !== batch)
    throw bad(`${name}: noiseY must have ${batch * second} values, got ${noiseY.length}.`);
  return batch;
}
