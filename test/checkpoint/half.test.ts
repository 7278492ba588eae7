import { describe, expect, it } from "vitest";
import { narrowBF16, narrowF16, widenBF16, widenF16 } from "../../src/checkpoint/index.js";

const ALL = Uint16Array.from({ length: 65536 }, (_, i) => i);
const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);
const f32 = (bits: readonly number[]) => new Float32Array(Uint32Array.from(bits).buffer);

/** The value of a half by the definition of IEEE 754 binary16. */
function halfValue(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const isNaNHalf = (h: number) => (h & 0x7fff) > 0x7c00;

describe("F16", () => {
  it("widens all 65536 values exactly, with signed zeros and NaN payloads", () => {
    const wide = widenF16(ALL);
    const bits = bitsOf(wide);
    for (const h of ALL) {
      if (!Object.is(wide[h], halfValue(h))) throw new Error(`${h}: ${wide[h]} is not ${halfValue(h)}`);
      if (isNaNHalf(h)) expect(bits[h]! & 0x7fffff).toBe((h & 0x3ff) << 13);
    }
  });

  it("narrows every widened value back to its bits", () => {
    const back = narrowF16(widenF16(ALL));
    // A signalling NaN becomes quiet, everything else is the same.
    for (const h of ALL)
      if (back[h] !== (isNaNHalf(h) ? h | 0x200 : h)) throw new Error(`${h} came back as ${back[h]}`);
  });

  it("rounds to nearest, ties to even, between all neighbouring halves", () => {
    for (let h = 0; h < 0x7c00; h++) {
      const low = halfValue(h);
      // Above the largest half: the value that the next exponent would have.
      const high = h === 0x7bff ? 65536 : halfValue(h + 1);
      const middle = (low + high) / 2;
      const even = h % 2 === 0 ? h : h + 1;
      const [at] = bitsOf(Float32Array.of(middle));
      const got = narrowF16(f32([at! - 1, at!, at! + 1, (at! | 0x80000000) >>> 0]));
      expect([...got]).toEqual([h, even, h + 1, even | 0x8000]);
    }
  });

  it("takes what is too large to infinity and what is too small to zero", () => {
    const got = narrowF16(
      Float32Array.of(65519.996, 65520, 3e38, Number.POSITIVE_INFINITY, -65520, 1e-45, 2 ** -25, -(2 ** -25)),
    );
    expect([...got]).toEqual([0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00, 0, 0, 0x8000]);
  });
});

describe("BF16", () => {
  it("widens all 65536 values to the same upper bits, and back", () => {
    const wide = widenBF16(ALL);
    const bits = bitsOf(wide);
    const back = narrowBF16(wide);
    for (const h of ALL) {
      if (bits[h] !== h * 65536) throw new Error(`${h} widened to ${bits[h]}`);
      const nan = (h & 0x7fff) > 0x7f80;
      if (back[h] !== (nan ? h | 0x40 : h)) throw new Error(`${h} came back as ${back[h]}`);
    }
  });

  it("rounds to nearest, ties to even", () => {
    for (let h = 0; h < 0x7f80; h++) {
      const got = narrowBF16(f32([h * 65536 + 0x7fff, h * 65536 + 0x8000, h * 65536 + 0x8001]));
      expect([...got]).toEqual([h, h % 2 === 0 ? h : h + 1, h + 1]);
    }
  });
});

it("reads from the middle of a buffer", () => {
  const buffer = new ArrayBuffer(16);
  const source = new Float32Array(buffer, 4, 2);
  source.set([1, -2]);
  expect([...narrowF16(source)]).toEqual([0x3c00, 0xc000]);
  expect([...narrowBF16(source)]).toEqual([0x3f80, 0xc000]);
  const halves = new Uint16Array(buffer, 2, 2);
  halves.set([0x3c00, 0xc000]);
  expect([...widenF16(halves)]).toEqual([1, -2]);
});
