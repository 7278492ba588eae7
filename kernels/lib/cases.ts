import type { Case } from "../../src/gpu/contract.js";

/** A case of a preconditioning: x as the sampler has it, data of deviation sigma_data plus noise of deviation sigma. */
export function noisyCase<P extends { readonly channels: number; readonly pixels: number; readonly sigmaData: number }>(
  name: string,
  params: P,
  sigmas: readonly number[],
): Case<P> {
  const perImage = params.channels * params.pixels;
  return {
    name,
    params,
    inputs: (buffer, length, random) => {
      if (buffer === "sigma") return Float32Array.from(sigmas);
      if (buffer !== "x") return undefined;
      return Float32Array.from(
        { length },
        (_, i) => (params.sigmaData + sigmas[Math.floor(i / perImage)]!) * 2 * (2 * random() - 1),
      );
    },
  };
}

/** `length` levels from `low` to `high`, spaced evenly on a logarithmic scale. */
export function levels(low: number, high: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => low * (high / low) ** (i / Math.max(1, length - 1)));
}

interface SolverParams {
  readonly batch: number;
  readonly elements: number;
  readonly guided: boolean;
}

/**
 * A case of a solver's step of `params` [batch, elements, guided] with the scalars [t, next, guidance]; the images are a
 * common one and differences of the size of t, as in a sampler.
 */
export function solverCase(
  name: string,
  [batch, elements, guided]: readonly [number, number, boolean],
  [t, next, guidance]: readonly [number, number, number],
): Case<SolverParams> {
  return {
    name,
    params: { batch, elements, guided },
    inputs: (buffer, length) => {
      if (buffer === "level") return Float32Array.of(t, next, guidance, 0);
      if (buffer === "d") return undefined;
      const salt = buffer.charCodeAt(buffer.length - 1);
      return Float32Array.from({ length }, (_, i) => Math.sin(i) + t * Math.sin((i + 1) * (3 + buffer.length) + salt));
    },
  };
}

/** Cases that every solver's step has. */
export const solverCases = [
  solverCase("one value", [1, 1, false], [80, 57.6, 1]),
  solverCase("odd length", [3, 131, false], [3, 1.9, 1]),
  solverCase("odd length, guided", [3, 131, true], [3, 1.9, 2.1]),
  solverCase("low noise, guided", [1, 257, true], [0.003, 0.002, 1.4]),
];

/** A value in [0, 1), roughly uniform, of a source of standard normal values. */
export const uniformOf = (random: () => number): number => Math.abs(random()) % 1;

/** Inputs of Fourier features: levels spaced evenly on a logarithmic scale, frequencies up to +-`top`, phases of a turn. */
export function spectrum(low: number, high: number, top: number) {
  return (name: string, length: number): Float32Array =>
    name === "sigma"
      ? levels(low, high, length)
      : Float32Array.from({ length }, (_, i) => {
          const scattered = (i * 0.6180339887498949 + 0.137) % 1;
          return name === "freqs" ? top * (2 * scattered - 1) : 2 * Math.PI * ((scattered * 7.31) % 1);
        });
}
