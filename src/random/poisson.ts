/** Counts above which a draw is a sum of draws: e^-500 is far from underflow. */
const LARGEST = 500;

/** One Poisson draw of a mean from uniform values, by inversion; the same on every machine. */
export function poissonDraw(mean: number, uniform: () => number): number {
  const parts = Math.ceil(mean / LARGEST);
  let count = 0;
  for (let part = 0; part < parts; part++) count += inverted(mean / parts, uniform());
  return count;
}

/** The smallest k whose distribution function exceeds u. */
function inverted(mean: number, u: number): number {
  let [k, p] = [0, Math.exp(-mean)];
  for (let below = p; below <= u && p > 0; below += p) p *= mean / ++k;
  return k;
}
