import { read, write } from "../../lib/buffers.js";
import { fail, finiteNumber, oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type HadamardPassParams, reference } from "./reference.js";

/** The pass of one invocation, without a loop: radix loads, log2(radix) rounds of sums and differences, radix stores. */
function transform(radix: number): string {
  const lines = Array.from({ length: radix }, (_, q) => `let a${q} = x[first + ${q}u * p.done];`);
  let names = Array.from({ length: radix }, (_, q) => `a${q}`);
  for (let bit = 1; bit < radix; bit *= 2) {
    const before = names;
    names = before.map((name) => `${name}_`);
    before.forEach((name, q) => {
      const other = before[q ^ bit]!;
      lines.push(`let ${name}_ = ${q & bit ? `${other} - ${name}` : `${name} + ${other}`};`);
    });
  }
  names.forEach((name, q) => {
    lines.push(`y[first + ${q}u * p.done] = p.factor * ${name};`);
  });
  return `const RADIX = ${radix}u;\nfn transform(first: u32) {\n  ${lines.join("\n  ")}\n}`;
}

/** One pass of a fast Walsh-Hadamard transform of rows, from x to y. */
export const hadamardPass = elementwise<HadamardPassParams>({
  name: "hadamard-pass",
  group: "operators",
  source,
  counts: ({ rows, length, radix, done }) => ({ rows, length, radix, done }),
  check({ length, radix, done, factor }) {
    oneOf("hadamard-pass", "radix", radix, [2, 4, 8, 16]);
    if (length % (radix * done) !== 0)
      fail("hadamard-pass", `radix * done must divide the length ${length}`, radix * done);
    finiteNumber("hadamard-pass", "factor", factor);
  },
  threads: ({ rows, length, radix }) => (rows * length) / radix,
  buffers: ({ rows, length }) => [read("x", rows * length), write("y", rows * length)],
  variant: ({ radix }) => ({ key: `${radix}`, prelude: transform(radix) }),
  flops: ({ rows, length, radix }) => rows * length * (Math.log2(radix) + 1),
  reference,
  cases: [
    { name: "two values", params: { rows: 1, length: 2, radix: 2, done: 1, factor: 1 } },
    { name: "radix 4, second pass", params: { rows: 5, length: 64, radix: 4, done: 16, factor: 0.125 } },
    { name: "radix 8, first pass", params: { rows: 3, length: 64, radix: 8, done: 1, factor: 1 } },
    {
      name: "radix 16 of an image, last pass",
      params: { rows: 6, length: 4096, radix: 16, done: 256, factor: 1 / 64 },
    },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
