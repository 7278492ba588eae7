import type { Gpu } from "../../src/gpu/device.js";
import { volume } from "../../src/operators/check.js";
import type { Operator } from "../../src/operators/operator.js";
import { type Recording, relativeError } from "./fixtures.js";

/** Of a mean or a draw: relative 2-norm error, and error in standard deviations of the posterior. */
export interface StepError {
  readonly tensor: string;
  readonly relative: number;
  readonly deviations?: number;
  /** What is allowed, by the recording's own single-precision errors; of deviations where they are there and there are two draws. */
  readonly limit: number;
}

type Errors = Readonly<Record<string, number>>;

/** Forward, adjoint, and every recorded level of a linear operator against float64. */
export async function replayOperator(r: Recording, operator: Operator): Promise<StepError[]> {
  const values = (name: string) => r.values(name);
  const [x, y, v, z] = [await values("x"), await values("y"), await values("v"), await values("noise.0")];
  const zy = operator.noiseShape ? await values("noise.1") : undefined;
  const relative = r.meta<Errors>("fp32_rel_err_by_tensor")!;
  const inDeviations = r.meta<Errors>("fp32_std_err_by_tensor")!;
  const found: StepError[] = [];
  const map = async (tensor: string, result: Float32Array) =>
    found.push({ tensor, relative: relativeError(result, await r.truth(tensor)), limit: 3e-6 });
  await map("forward", await operator.forward(x));
  await map("adjoint_v", await operator.adjoint!(v));
  const levels = r.meta<[number, number][]>("levels")!;
  for (const [k, [sigma, rho]] of levels.entries()) {
    for (const kind of ["mean", "draw"] as const) {
      const tensor = `step${k}.${kind}`;
      const truth = await r.truth(tensor);
      const of = (noise: Float32Array) => (kind === "draw" ? noise : new Float32Array(noise.length));
      const input = { x, y, sigma, rho, noise: of(z), ...(zy ? { noiseY: of(zy) } : {}) };
      const result = await operator.sampleProximal!(input);
      const deviations = await deviationsOf(operator, result, truth, sigma, rho);
      const limit = zy ? Math.max(0.01, 4 * inDeviations[tensor]!) : Math.max(2e-5, 20 * relative[tensor]!);
      found.push({ tensor, relative: relativeError(result, truth), deviations, limit });
    }
  }
  return found;
}

/** Root mean square of P^(1/2) d over the numbers of the pictures, d the difference: the worst picture. */
async function deviationsOf(operator: Operator, result: Float32Array, truth: Float32Array, sigma: number, rho: number) {
  const [n, m] = [volume(operator.shape), volume(operator.measurementShape)];
  const d = result.map((value, i) => value - truth[i]!);
  const ad = await operator.forward(d);
  let worst = 0;
  for (let b = 0; b * n < d.length; b++) {
    const squares = (list: Float32Array, one: number) =>
      list.subarray(b * one, (b + 1) * one).reduce((sum, value) => sum + value * value, 0);
    worst = Math.max(worst, Math.sqrt((squares(ad, m) / sigma ** 2 + squares(d, n) / rho ** 2) / n));
  }
  return worst;
}

/** Makes the operator of a recording: options stand in its metadata and, where they are arrays, among its tensors. */
export async function recordedOperator(
  gpu: Gpu,
  // biome-ignore lint/suspicious/noExplicitAny: factories with different options
  operators: Readonly<Record<string, (gpu: Gpu, options: any) => Operator | Promise<Operator>>>,
  r: Recording,
  more: object = {},
): Promise<Operator> {
  const [name] = [r.checkpoint.metadata.operator!];
  const config = Object.entries(r.meta<Record<string, unknown>>("config")!).filter(([, value]) => value !== null);
  const options: Record<string, unknown> = { shape: r.meta<number[]>("shape")!, ...Object.fromEntries(config) };
  for (const key of ["mask", "matrix", "rows", "columns", "kernels", "weights", "angles", "maps"])
    if (r.has(key)) options[key] = await r.values(key);
  if (r.has("kernel") && name !== "gaussianBlur") {
    options.kernel = await r.values("kernel");
    options.kernelSize = r.shape("kernel");
  }
  if (name === "varyingBlur") options.kernelSize = r.shape("kernels")[1];
  if (name === "matrix") options.rows = r.shape("matrix")[0];
  if (name === "hadamard") {
    if (config.every(([key]) => key !== "order")) {
      delete options.ratio;
      delete options.count;
      options.indices = new Int32Array((await r.checkpoint.readBytes("indices")).slice().buffer);
    } else delete options.count;
  }
  if (options.mask) delete options.known;
  for (const key of ["object", "coils"]) if (name === "mri") delete options[key];
  return operators[name]!(gpu, { ...options, ...more });
}
