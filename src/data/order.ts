import { philox4x32 } from "../../kernels/lib/philox.js";
import { bad } from "../errors.js";

/** Tells these draws from all others of a seed. */
const STREAM = 2;

/** Passes that are remembered: a batch may lie in two. */
const KEPT = 2;
const passes: { seed: number; length: number; pass: number; list: Uint32Array }[] = [];

/**
 * Which of `length` items comes at place `index` of an endless sequence of shuffled passes: every pass is a permutation of its
 * own, from the seed and its number alone (Fisher and Yates, with Philox 4x32-10 words). So a run that resumes at a place goes on
 * as if it had never stopped.
 */
export function order(seed: number, length: number, index: number): number {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    throw bad(`seed ${seed} must be an integer from 0 to 4294967295.`);
  if (!(Number.isSafeInteger(length) && length > 0 && length < 2 ** 32)) throw bad(`${length} items have no order.`);
  if (!(Number.isSafeInteger(index) && index >= 0)) throw bad(`place ${index} must be an integer of at least 0.`);
  const pass = Math.floor(index / length);
  let found = passes.find((known) => known.seed === seed && known.length === length && known.pass === pass);
  if (!found) {
    found = { seed, length, pass, list: permutation(seed, length, pass) };
    passes.push(found);
    if (passes.length > KEPT) passes.shift();
  }
  return found.list[index % length]!;
}

function permutation(seed: number, length: number, pass: number): Uint32Array {
  const list = Uint32Array.from({ length }, (_, i) => i);
  let words: readonly number[] = [];
  for (let i = length - 1, draw = 0; i > 0; i--, draw++) {
    if (draw % 4 === 0) words = philox4x32([draw >>> 2, pass >>> 0, Math.floor(pass / 2 ** 32), STREAM], [seed, 0]);
    const j = Math.floor((words[draw % 4]! / 2 ** 32) * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}
