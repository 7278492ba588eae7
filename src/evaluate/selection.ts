import { bad } from "../errors.js";

/** Words of the generator's state, and how far apart those are that are mixed. */
const [N, M] = [624, 397];

/** 32-bit words of the Mersenne twister (Matsumoto & Nishimura 1998), seeded by one number as NumPy's RandomState is. */
function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(N);
  state[0] = seed;
  for (let i = 1; i < N; i++) {
    const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(1812433253, before) + i;
  }
  let at = N;
  return () => {
    if (at === N) {
      for (let i = 0; i < N; i++) {
        const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
        state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/**
 * Which of `count` pictures EDM2's and NCVSD's scripts measure when fewer are asked for: the first `wanted` of a shuffled list (NumPy's
 * legacy RandomState, seed modulo 2^31), in ascending order.
 * @throws BAD_ARGUMENT when there are not so many
 */
export function selection(count: number, wanted: number, seed: number): Uint32Array {
  if (wanted > count) throw bad(`${wanted} pictures are wanted of ${count}`);
  const list = Uint32Array.from({ length: count }, (_, i) => i);
  if (wanted === count) return list;
  const next = mersenneTwister(seed % 2 ** 31);
  for (let i = count - 1; i > 0; i--) {
    // The smallest 2^k - 1 that is not below i.
    const mask = 0xffffffff >>> Math.clz32(i);
    let j = (next() & mask) >>> 0;
    while (j > i) j = (next() & mask) >>> 0;
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list.subarray(0, wanted).slice().sort();
}
