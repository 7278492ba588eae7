import { type Baselines, type Measured, squaredResiduals } from "./baselines.js";
import { volume } from "./check.js";

/** Prior standard deviations that Tikhonov's method tries, in the network's range. */
const PRIORS = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8];

/** A'1 and the like: ones mapped, as a divisor. */
const positive = (v: number) => (Math.abs(v) > 1e-6 ? v : 1);

/** A'y / A'A1: block means and weighted sums go back to where they came from. */
export const spread =
  (name: string) =>
  async ({ operator, y }: Measured): Promise<Baselines> => {
    const back = await operator.adjoint!(y);
    const ones = new Float32Array(volume(operator.shape)).fill(1);
    const weight = await operator.adjoint!(await operator.forward(ones));
    return { [name]: back.map((v, i) => v / positive(weight[i % weight.length]!)) };
  };

/** A'y, of an A with orthonormal rows: what was not measured is taken for 0. */
export async function zeroFilled({ operator, y }: Measured): Promise<Baselines> {
  return { "zero-filled": await operator.adjoint!(y) };
}

/**
 * Tikhonov's method: the mean under N(c, rho^2 I) given y, c the constant picture that fits y best, for the rho whose residual is
 * closest to the noise, per measurement.
 */
export async function tikhonov({ operator, y, sigmaY, seeds, mask }: Measured): Promise<Baselines> {
  const batch = seeds.length;
  const [size, image] = [volume(operator.measurementShape), volume(operator.shape)];
  const ones = await operator.forward(new Float32Array(image).fill(1));
  const square = positive(ones.reduce((sum, v) => sum + v * v, 0));
  const x = new Float32Array(batch * image);
  for (let n = 0; n < batch; n++) {
    const level = ones.reduce((sum, v, i) => sum + v * y[n * size + i]!, 0) / square;
    x.fill(Math.min(1, Math.max(-1, level)), n * image, (n + 1) * image);
  }
  const noise = new Float32Array(x.length);
  const second = operator.noiseShape ? { noiseY: new Float32Array(batch * volume(operator.noiseShape)) } : {};
  const observed = mask ? mask.reduce((a, b) => a + b, 0) : size;
  const best = new Float32Array(x.length);
  const distance = new Float64Array(batch).fill(Number.POSITIVE_INFINITY);
  for (const rho of PRIORS) {
    const mean = await operator.sampleProximal!({ x, y, sigma: sigmaY, rho, noise, ...second });
    squaredResiduals(await operator.forward(mean), y, batch, mask).forEach((r, n) => {
      const d = Math.abs(Math.log(r / (observed * sigmaY ** 2)));
      if (d >= distance[n]!) return;
      distance[n] = d;
      best.set(mean.subarray(n * image, (n + 1) * image), n * image);
    });
  }
  return { Tikhonov: best };
}

/** The same beside the measurement, where that is a picture. */
export async function measurementAndTikhonov(measured: Measured): Promise<Baselines> {
  return { measurement: measured.y, ...(await tikhonov(measured)) };
}

/** Bilinear demosaicing: every channel from its own pixels, by a triangle of 3 x 3. */
export async function bilinear({ operator, y, seeds }: Measured): Promise<Baselines> {
  const [c, h, w] = operator.shape;
  const known = await operator.adjoint!(y);
  const where = await operator.adjoint!(new Float32Array(y.length).fill(1));
  const out = new Float32Array(known.length);
  for (let plane = 0; plane < seeds.length * c; plane++) {
    const at = (row: number, column: number) => plane * h * w + row * w + column;
    for (let row = 0; row < h; row++)
      for (let column = 0; column < w; column++) {
        let [sum, weights] = [0, 0];
        for (let i = Math.max(0, row - 1); i <= Math.min(h - 1, row + 1); i++)
          for (let j = Math.max(0, column - 1); j <= Math.min(w - 1, column + 1); j++) {
            const weight = (2 - Math.abs(i - row)) * (2 - Math.abs(j - column)) * where[at(i, j)]!;
            sum += weight * known[at(i, j)]!;
            weights += weight;
          }
        out[at(row, column)] = sum / positive(weights);
      }
  }
  return { bilinear: out };
}

/**
 * Filtered back-projection of parallel rays, of angles evenly over a half turn or a whole one: projections by the ramp filter
 * h(0) = 1 / (4 d^2), h(k) = -1 / (pi k d)^2 for odd k, else 0 (Ramachandran and Lakshminarayanan 1971), then A'.
 */
export const filteredBackProjection =
  (spacing: number, pixel: number) =>
  async ({ operator, y }: Measured): Promise<Baselines> => {
    const [, angles, detectors] = operator.measurementShape as [number, number, number];
    const filtered = new Float32Array(y.length);
    const ramp = Float64Array.from({ length: detectors }, (_, k) =>
      k === 0 ? 1 / (4 * spacing ** 2) : k % 2 === 1 ? -1 / (Math.PI * k * spacing) ** 2 : 0,
    );
    for (let row = 0; row < y.length; row += detectors)
      for (let j = 0; j < detectors; j++) {
        let sum = 0;
        for (let i = 0; i < detectors; i++) sum += ramp[Math.abs(i - j)]! * y[row + i]!;
        filtered[row + j] = sum * spacing;
      }
    const back = await operator.adjoint!(filtered);
    // A' weighs an entry by pixel^2 / spacing.
    const scale = ((Math.PI / angles) * spacing) / pixel ** 2;
    return { "filtered back-projection": back.map((v) => v * scale) };
  };

/** Counts as brightness. */
export const countsAsPicture =
  (peak: number, background: number) =>
  async ({ y }: Measured): Promise<Baselines> => ({
    "counts / peak": y.map((v) => (2 * (v - background)) / peak - 1),
  });

/** What a decoder shows: the middle of every cell, the mean under a flat prior. */
export async function decoded({ operator, y }: Measured): Promise<Baselines> {
  const x = new Float32Array((y.length / volume(operator.measurementShape)) * volume(operator.shape));
  return { decoded: await operator.posteriorMean!({ x, y, sigma: 0, rho: 1e3 }) };
}
