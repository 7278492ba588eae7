/** What the kernels share that have one workgroup for a row and a component of a Gaussian mixture. */
import { grid1d, type Kernel } from "../../src/gpu/contract.js";
import { addressable, positiveInteger } from "./check.js";
import { summingSize } from "./entry.js";

export interface MixtureParams {
  readonly rows: number;
  /** Components. */
  readonly parts: number;
  readonly dims: number;
}

export function mixtureParts(kernel: string): Pick<Kernel<MixtureParams>, "check" | "variant" | "uniforms" | "grid"> {
  return {
    check({ rows, parts, dims }) {
      for (const [name, value] of Object.entries({ rows, parts, dims })) positiveInteger(kernel, name, value);
      addressable(kernel, "t", rows, parts, dims);
      addressable(kernel, "vectors", parts, dims, dims);
    },
    variant(_, caps) {
      const { size, prelude } = summingSize(caps);
      return { key: `${size}`, prelude };
    },
    uniforms: ({ rows, parts, dims }) => ({ workgroups: rows * parts, parts, dims }),
    grid: ({ rows, parts }, _variant, caps) => grid1d(rows * parts, 1, caps),
  };
}

/** Inputs of a case: levels in turn, eigenvalues that aren't negative; the vectors needn't be orthogonal for this. */
export function mixtureInputs(levels: readonly number[]) {
  return (name: string, length: number, random: () => number) => {
    if (name === "sigma") return Float32Array.from({ length }, (_, i) => levels[i % levels.length]!);
    return name === "values" ? Float32Array.from({ length }, () => random() ** 2) : undefined;
  };
}
