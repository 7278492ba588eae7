import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Checkpoint, openCheckpoint } from "../../src/checkpoint/index.js";
import { NcvsdError } from "../../src/errors.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { validateTensors } from "../../src/networks/edm2/names.js";
import { fixturePath } from "../support/safetensors-fixture.js";

/** mulberry32: a small seeded generator, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const FRAGMENTS = [
  '"',
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "-1",
  "1e9",
  "9007199254740993",
  "18446744073709551616",
  "null",
  '"F32"',
  '"F16"',
  '"U8"',
];
FRAGMENTS.push(
  '"__proto__"',
  '"__metadata__"',
  "\\u0000",
  "\\ud800",
  "\0",
  "\xff",
  "0",
  "3",
  "16",
  "true",
  "[[[[",
  '"config":"{}"',
  '\\"',
);

/** A copy of `file` with a few changes, most of them in the header. */
function mutate(file: Uint8Array, next: () => number): Uint8Array {
  const below = (n: number) => Math.floor(next() * n);
  const headerLength = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  let header = Buffer.from(file.subarray(8, 8 + headerLength)).toString("latin1");
  let data = file.subarray(8 + headerLength);
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(header.length);
    const other = below(header.length);
    switch (below(8)) {
      case 0:
        header = header.slice(0, at) + String.fromCharCode(below(256)) + header.slice(at + 1);
        break;
      case 1:
        header = header.slice(0, at) + FRAGMENTS[below(FRAGMENTS.length)] + header.slice(at + below(12));
        break;
      case 2:
        header = header.slice(0, at) + header.slice(at + 1 + below(80));
        break;
      case 3:
        header = header.slice(0, at) + header.slice(other, other + below(200)) + header.slice(at);
        break;
      case 4: {
        // One digit of a shape, an offset or the config.
        const digits = [...header.matchAll(/\d/g)];
        const digit = digits[below(digits.length)]?.index ?? at;
        header = header.slice(0, digit) + below(10) + header.slice(digit + 1);
        break;
      }
      case 5:
        data = data.subarray(0, below(data.length + 1));
        break;
      case 6:
        header = header.slice(0, at);
        break;
      default: {
        // Two tensors change their names.
        const names = [...header.matchAll(/"([\w.]+\.weight)"/g)].map((match) => match[1]!);
        const [a, b] = [names[below(names.length)], names[below(names.length)]];
        if (a && b) header = header.replace(a, "%").replace(b, a).replace("%", b);
      }
    }
  }
  const bytes = Buffer.from(header, "latin1");
  const out = Buffer.alloc(8 + bytes.length + data.length);
  const odd = below(20);
  out.writeBigUInt64LE(
    odd === 0
      ? BigInt(below(2 ** 32)) << BigInt(below(32))
      : BigInt(bytes.length + (odd === 1 ? below(9) - 4 : 0)) & 0xffffffffn,
  );
  bytes.copy(out, 8);
  out.set(data, 8 + bytes.length);
  return out;
}

it("10,000 mutated checkpoints either load completely or are a BAD_CHECKPOINT, quickly", async () => {
  const file = new Uint8Array(readFileSync(fixturePath("edm2-tiny-uncond.safetensors")));
  const next = random(20240717);
  const counts = { opened: 0, parsed: 0, valid: 0, refused: 0 };
  let slowest = 0;
  for (let i = 0; i < 10_000; i++) {
    const mutated = mutate(file, next);
    const start = performance.now();
    let checkpoint: Checkpoint | undefined;
    try {
      checkpoint = await openCheckpoint(mutated);
      counts.opened++;
      const { architecture, config } = parseConfig(checkpoint);
      counts.parsed++;
      validateTensors(checkpoint, architecture, config);
      for (const name of checkpoint.tensors.keys()) await checkpoint.readF32(name);
      counts.valid++;
    } catch (error) {
      if (!(error instanceof NcvsdError) || error.code !== "BAD_CHECKPOINT" || error.message.length > 3000) {
        throw new Error(`mutation ${i} ended in ${error instanceof Error ? error.stack : error}`);
      }
      counts.refused++;
    }
    slowest = Math.max(slowest, performance.now() - start);
  }
  // The mutations reach every stage; otherwise the test would prove little.
  expect(counts.refused).toBeGreaterThan(7000);
  expect(counts.opened).toBeGreaterThan(300);
  expect(counts.parsed).toBeGreaterThan(150);
  expect(slowest).toBeLessThan(2000);
});
