import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { kernels } from "../../kernels/index.js";
import type { AnyKernel } from "../../src/gpu/contract.js";
import { guardedLoops } from "../../src/gpu/guarded-loops.js";
import { gpuProfile, profileCaps } from "../../src/gpu/profiles.js";
import { composeSource } from "../../src/gpu/reflect.js";

const DUMP = fileURLToPath(new URL("../support/tint-dump.mjs", import.meta.url));

/** Loops of each text that Tint has given a counter: a vec2u that begins with all bits set. */
function guardedByTint(texts: readonly string[]): (number | undefined)[] {
  const marked = texts.map((text, i) => `// text ${i} of the test\n${text}`);
  const { stdout, stderr, status } = spawnSync(process.execPath, [DUMP], {
    input: JSON.stringify(marked),
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  expect(status, stderr).toBe(0);
  const found: (number | undefined)[] = texts.map(() => undefined);
  const dumps = `${stdout}${stderr}`.split("// text ").slice(1);
  for (const dump of dumps) {
    const spirv = dump.slice(dump.indexOf("Dumped SPIRV"));
    const ones = /(%\w+) = OpConstantComposite %v2uint %uint_4294967295 %uint_4294967295/.exec(spirv)?.[1];
    const starts = ones === undefined ? [] : [...spirv.matchAll(/OpStore %\w+ (%\w+)/g)].filter(([, v]) => v === ones);
    found[Number.parseInt(dump, 10)] = starts.length;
  }
  return found;
}

/** A kernel around one loop. */
const around = (loop: string) => `const N: u32 = 16u;
override M: u32 = 16u;
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
fn unused() -> f32 { var s = 0.0; for (var i = 0u; i != 7u; i++) { s += x[i]; } return s; }
@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) lid: u32) {
  const L = 12u;
  var s = 0.0;
  ${loop}
  x[lid] = s;
}`;

const LOOPS: readonly (readonly [loop: string, guarded: number])[] = [
  ["for (var i = 0u; i < 16u; i++) { s += x[i]; }", 0],
  ["for (var i = 2; i <= 16; i += 1) { s += x[i]; }", 0],
  ["for (var i = 16u; i > 0u; i--) { s += x[i]; }", 0],
  ["for (var i = 0u; i < 4u * N; i = i + 1u) { s += x[i]; }", 0],
  ["for (var i = 0u; i < M; i++) { s += x[i]; }", 0],
  ["for (var i = 0u; i < L; i++) { s += x[i]; }", 0],
  ["for (var i = 0u; i < 4294967295u; i++) { if (i >= lid) { break; } s += x[i]; }", 0],
  ["for (var i = 0u; i < 256u; i += 64u) { s += x[i]; }", 1],
  ["for (var i = lid; i < 256u; i++) { s += x[i]; }", 0],
  ["for (var i = 32u; i > 0u; i /= 2u) { s += x[i]; }", 1],
  ["let n = 16u; for (var i = 0u; i < n; i++) { s += x[i]; }", 1],
  ["for (var i = 0u; i != 16u; i++) { s += x[i]; }", 1],
  ["var i = 0u; while (i < 16u) { s += x[i]; i++; }", 1],
  ["var i = 0u; loop { if (i >= lid) { break; } for (var j = 0u; j < i; j++) { s += x[j]; } i++; }", 2],
];

/** The texts that a GPU gets, by what they are: one of those that have the same loops. */
async function gpuTexts(): Promise<Map<string, string>> {
  const caps = profileCaps(gpuProfile("gpu"), "f32");
  const texts = new Map<string, string>();
  const known = new Set<string>();
  for (const kernel of kernels as readonly AnyKernel[]) {
    for (const { params } of kernel.cases) {
      const variant = kernel.variant(params, caps);
      const { text } = await composeSource(kernel, variant, "f32");
      const loops = [...text.matchAll(/\b(for \(.*|while \(.*|loop \{)$/gm)].join("\n");
      if (loops !== "" && !known.has(loops)) texts.set(`${kernel.name} ${variant.key}`, text);
      known.add(loops);
    }
  }
  return texts;
}

describe("loops that Tint guards", () => {
  it("are those that the reader of texts finds, and no text that a GPU gets has one", async () => {
    const small = LOOPS.map(([loop]) => around(loop));
    const texts = await gpuTexts();
    const found = guardedByTint([...small, ...texts.values()]);
    LOOPS.forEach(([loop, guarded], i) => {
      expect({ loop, tint: found[i], reader: guardedLoops(small[i]!).length }).toEqual({
        loop,
        tint: guarded,
        reader: guarded,
      });
    });
    [...texts].forEach(([name, text], i) => {
      const reader = guardedLoops(text);
      const tint = found[small.length + i];
      expect({ name, guarded: reader.length }, JSON.stringify(reader)).toEqual({ name, guarded: tint });
      // A loop over as many things as a uniform says ends by a `break` (src/gpu/reflect.ts, MANY).
      expect({ name, guarded: reader }).toEqual({ name, guarded: [] });
    });
  });
});
