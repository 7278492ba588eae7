import { normalQuantile } from "../../kernels/lib/normal-law.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkPositive, countOf, volume } from "./check.js";
import { type GpuOperator, gpuOperator, type OperatorGraphs } from "./gpu-operator.js";
import type { Law, LawInput, LawProximalInput } from "./operator.js";

/** An operator that acts on every entry alone, so that the posterior of each is a law on a line that is known exactly. */
export interface LawOperator extends GpuOperator {
  /** One draw: the quantile at `uniforms`, or at the normal distribution function of `noise`; noise of zeros: the median. */
  sampleProximal(input: LawProximalInput): Promise<Float32Array>;
  /** Mean, variance and distribution function of the law of every entry, in float64. */
  law(input: LawInput): Promise<Law>;
}

/** Beside the graphs, of which `proximal` draws by quantiles from z: the law itself. */
export interface PointwiseGraphs extends OperatorGraphs {
  readonly proximal: NonNullable<OperatorGraphs["proximal"]>;
  /** Another rule for y than that its values are finite: throws BAD_ARGUMENT. */
  checkMeasurement?(y: Float32Array): void;
  /** Of checked input; sigma 0 stands for none. `at` is there only with `hasCdf`. */
  lawOf(input: LawInput & { readonly sigma: number }): Law;
  readonly hasCdf?: boolean;
  /** Pixels from the means of the law's entries, where those are no pixels. */
  toPixels?(mean: Float64Array): Float32Array;
}

/** Makes an operator of a pointwise law. */
export function pointwiseOperator(gpu: Gpu, graphs: PointwiseGraphs): LawOperator {
  const { name, shape, withoutNoise = false } = graphs;
  const operator = gpuOperator(gpu, graphs);
  const draw = operator.sampleProximal!;
  const sampleProximal = async (input: LawProximalInput) => {
    checkKeys(`${name}: sampleProximal`, input, PROXIMAL);
    const { uniforms, sigma = 0, ...rest } = input;
    graphs.checkMeasurement?.(input.y);
    if (uniforms === undefined) return draw({ ...rest, sigma });
    if (input.noise) throw bad(`${name}: give uniforms or noise, but not both: either decides the first draw.`);
    return draw({ ...rest, sigma, noise: normalsOf(name, uniforms, input.x.length) });
  };
  const law = async (input: LawInput) => {
    checkKeys(`${name}: law`, input, LAW);
    const { x, y, sigma = 0, rho, at } = input;
    countOf(`${name}: x`, x, volume(shape), shape);
    if (!(y instanceof Float32Array) || y.length !== x.length)
      throw bad(`${name}: y must be a Float32Array of the ${x.length} values of x.`);
    for (const [what, values] of Object.entries({ x, y })) {
      const wrong = values.findIndex((v) => !Number.isFinite(v));
      if (wrong >= 0) throw bad(`${name}: ${what} holds ${values[wrong]} at index ${wrong}: it must be finite.`);
    }
    if (!(withoutNoise && sigma === 0)) checkPositive(name, "sigma", sigma);
    checkPositive(name, "rho", rho);
    graphs.checkMeasurement?.(y);
    if (at && !graphs.hasCdf) throw bad(`${name}: its law has no cdf: leave at out.`);
    if (at && (!(at instanceof Float32Array) || at.length !== x.length))
      throw bad(`${name}: at must be a Float32Array of ${x.length} values, one per entry of x.`);
    return graphs.lawOf({ ...input, sigma });
  };
  const { toPixels } = graphs;
  const posteriorMean = toPixels && (async (input: LawInput) => toPixels((await law(input)).mean));
  return Object.assign(operator, { sampleProximal, law, withoutNoise }, posteriorMean ? { posteriorMean } : {});
}

/** For checkKeys. */
const FIRST = { x: true, y: true, sigma: true, rho: true } as const;
const PROXIMAL = { ...FIRST, uniforms: true, noise: true, noiseY: true, seeds: true } as const;
const LAW = { ...FIRST, at: true } as const;

/** Standard normal values whose distribution function the uniforms are. */
function normalsOf(name: string, uniforms: Float32Array, length: number): Float32Array {
  if (!(uniforms instanceof Float32Array) || uniforms.length !== length)
    throw bad(`${name}: uniforms must be a Float32Array of ${length} values, one per entry of x.`);
  const wrong = uniforms.findIndex((u) => !(u > 0 && u < 1));
  if (wrong >= 0) throw bad(`${name}: uniforms holds ${uniforms[wrong]} at index ${wrong}: between 0 and 1 is needed.`);
  return Float32Array.from(uniforms, normalQuantile);
}

/** The law of every entry, one after the other. */
export function lawsOf(
  length: number,
  at: Float32Array | undefined,
  one: (i: number, at?: number) => { mean: number; variance: number; cdf?: number },
): Law {
  const [mean, variance] = [new Float64Array(length), new Float64Array(length)];
  const cdf = at && new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const law = one(i, at?.[i]);
    mean[i] = law.mean;
    variance[i] = law.variance;
    if (cdf) cdf[i] = law.cdf!;
  }
  return cdf ? { mean, variance, cdf } : { mean, variance };
}
