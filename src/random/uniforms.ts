import { philox4x32 } from "../../kernels/lib/philox.js";
import { bad } from "../errors.js";

/** Uniform values in [0, 1) of 2^-32 steps from a seed: Philox 4x32-10, the same on every machine. */
export function uniforms(seed: number, stream: number): () => number {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    throw bad(`seed ${seed} must be an integer from 0 to 4294967295.`);
  let block = 0;
  let words: readonly number[] = [];
  return () => {
    const at = block % 4;
    if (at === 0) words = philox4x32([block >>> 2, stream, 0, 1], [seed, 0]);
    block++;
    return words[at]! / 2 ** 32;
  };
}

/** The numbers 0 .. length - 1 in random order (Fisher and Yates). */
export function shuffled(length: number, seed: number): Uint32Array {
  const random = uniforms(seed, 0);
  const list = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}
