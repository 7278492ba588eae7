import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { fail } from "../../lib/check.js";
import complex from "../../lib/complex.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type FftPassParams, reference } from "./reference.js";

const FAST = [2, 3, 4, 5, 8];

/** One Stockham pass of an FFT along one axis of complex data [outer, length, inner], from x to y. */
export const fftPass = elementwise<FftPassParams>({
  name: "fft-pass",
  group: "operators",
  source,
  parts: [{ file: "kernels/lib/complex.wgsl", text: complex }],
  counts: ({ outer, length, inner, radix, done }) => ({ outer, length, inner, radix, done }),
  check({ length, radix, done }) {
    if (length % (radix * done) !== 0) fail("fft-pass", `radix * done must divide the length ${length}`, radix * done);
  },
  threads: ({ outer, length, inner, radix }) => (outer * length * inner) / (FAST.includes(radix) ? radix : 1),
  buffers({ outer, length, inner }) {
    return [
      read("x", 2 * outer * length * inner),
      read("twiddles", 2 * length),
      write("y", 2 * outer * length * inner),
    ];
  },
  variant({ radix, inverse }) {
    const fast = FAST.includes(radix) ? radix : 0;
    return {
      key: `${fast}${inverse ? "i" : ""}`,
      prelude: `const RADIX = ${fast}u;\nconst INVERSE: bool = ${inverse};`,
    };
  },
  flops({ outer, length, inner, radix }) {
    const perValue = FAST.includes(radix) ? 5 * Math.log2(radix) : 8 * radix;
    return perValue * outer * length * inner;
  },
  reference,
  cases: [
    at("radix 2, one butterfly", { outer: 1, length: 2, inner: 1, radix: 2, done: 1, inverse: false }),
    at("radix 3 of 24, columns, third pass", { outer: 2, length: 24, inner: 7, radix: 3, done: 8, inverse: false }),
    at("radix 4 of 256, rows, inverse", { outer: 5, length: 256, inner: 1, radix: 4, done: 64, inverse: true }),
    at("radix 5 of 15, columns, inverse", { outer: 3, length: 15, inner: 11, radix: 5, done: 3, inverse: true }),
    at("radix 8 of 512, columns", { outer: 1, length: 512, inner: 9, radix: 8, done: 8, inverse: false }),
    at("radix 8 of 64, rows, inverse", { outer: 9, length: 64, inner: 1, radix: 8, done: 1, inverse: true }),
    at("any radix: 7 of 42, rows", { outer: 3, length: 42, inner: 1, radix: 7, done: 2, inverse: false }),
    at("any radix: 131, columns, inverse", { outer: 1, length: 131, inner: 5, radix: 131, done: 1, inverse: true }),
    at("radix 1 copies", { outer: 2, length: 1, inner: 3, radix: 1, done: 1, inverse: false }),
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

function at(name: string, params: FftPassParams): Case<FftPassParams> {
  const inputs = (buffer: string): Float32Array | undefined =>
    buffer === "twiddles"
      ? Float32Array.from({ length: 2 * params.length }, (_, i) => {
          const angle = (-2 * Math.PI * Math.floor(i / 2)) / params.length;
          return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
        })
      : undefined;
  return { name, params, inputs };
}
