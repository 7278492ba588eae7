import { bad } from "../errors.js";

/** Seeds as u32. */
export function seedRow(seeds: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  for (let i = 0; i < seeds.length; i++) {
    const seed = seeds[i]!;
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
      throw bad(`seed ${seed} must be an integer from 0 to 4294967295.`);
  }
  return Uint32Array.from(seeds);
}
