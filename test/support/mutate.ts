/** One mutator for all fuzz tests: seeded, so that every mutant can be made again. */

/** Numbers from 0 to 1 (mulberry32), the same on every machine. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, 1_000_000, 0x10000];
/** Opcodes of pickles, which are as good as any bytes elsewhere. */
const OPCODES = Buffer.from(
  "().012BCFGIJKLMNPQRSTUVX]abcdeghijloqrstu}\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98",
  "latin1",
);

/** A copy of `base` with a few bytes changed, removed, doubled, or taken from `others`. */
export function mutateBytes(base: Uint8Array, others: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (n: number) => Math.floor(random() * n);
  let bytes = Buffer.from(base);
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(bytes.length);
    const length = 1 + below(random() < 0.8 ? 16 : 2000);
    switch (below(8)) {
      case 0:
        bytes[at] = bytes[at]! ^ (1 << below(8));
        break;
      case 1:
        bytes[at] = OPCODES[below(OPCODES.length)]!;
        break;
      case 2:
        bytes[at] = below(256);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 4: {
        const from = below(bytes.length);
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + length), bytes.subarray(at)]);
        break;
      }
      case 5: {
        const other = others[below(others.length)]!;
        const from = below(other.length);
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + length), bytes.subarray(at)]);
        break;
      }
      case 6:
        if (at + 8 <= bytes.length) {
          bytes.writeUInt32LE(INTERESTING[below(INTERESTING.length)]!, at);
          if (random() < 0.5) bytes.writeUInt32LE(INTERESTING[below(INTERESTING.length)]!, at + 4);
        }
        break;
      default:
        if (random() < 0.3) bytes = bytes.subarray(0, at + 1);
        else
          bytes = Buffer.concat([
            bytes.subarray(0, at),
            Buffer.from([OPCODES[below(OPCODES.length)]!]),
            bytes.subarray(at),
          ]);
    }
    if (bytes.length === 0) bytes = Buffer.from([0x80]);
  }
  return bytes;
}

const FRAGMENTS =
  `" { } [ ] , : -1 1e9 1e400 9007199254740993 18446744073709551616 null "F32" "F16" "U8" "__proto__" "__metadata__"
  "constructor" \\u0000 \\ud800 \0 \xff 0 3 16 true [[[[ "config":"{}" \\" {} [] "<script>" -0.5 "../x" ""`.split(
    /\s+/,
  );

/** A copy of a JSON text with a few changes, a third of them to one digit. */
export function mutateText(text: string, random: () => number): string {
  const below = (n: number) => Math.floor(random() * n);
  let out = text;
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(out.length);
    const other = below(out.length);
    switch (below(9)) {
      case 0:
        out = out.slice(0, at) + String.fromCharCode(below(256)) + out.slice(at + 1);
        break;
      case 1:
        out = out.slice(0, at) + FRAGMENTS[below(FRAGMENTS.length)] + out.slice(at + below(12));
        break;
      case 2:
        out = out.slice(0, at) + out.slice(at + 1 + below(80));
        break;
      case 3:
        out = out.slice(0, at) + out.slice(other, other + below(200)) + out.slice(at);
        break;
      case 4: {
        // One whole value becomes another.
        const values = [...out.matchAll(/(?<=[:[,]\s*)("[^"]*"|-?[\d.]+|true|false|null)/g)];
        const value = values[below(values.length)];
        if (!value) break;
        const rest = out.slice(value.index + value[0].length);
        out = out.slice(0, value.index) + FRAGMENTS[below(FRAGMENTS.length)] + rest;
        break;
      }
      case 5:
        if (random() < 0.3) out = out.slice(0, at);
        break;
      case 6: {
        // Two names change places.
        const names = [...out.matchAll(/"([\w.]+)"/g)].map((match) => match[1]!);
        const [a, b] = [names[below(names.length)], names[below(names.length)]];
        if (a && b) out = out.replace(a, "%").replace(b, a).replace("%", b);
        break;
      }
      default: {
        const digits = [...out.matchAll(/\d/g)];
        const digit = digits[below(digits.length)]?.index;
        if (digit !== undefined) out = out.slice(0, digit) + below(10) + out.slice(digit + 1);
      }
    }
  }
  return out;
}

/** A safetensors file with changes, most of them in its header. */
export function mutateSafetensors(file: Uint8Array, random: () => number): Uint8Array {
  const below = (n: number) => Math.floor(random() * n);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = mutateText(Buffer.from(file.subarray(8, 8 + length)).toString("latin1"), random);
  let data = file.subarray(8 + length);
  if (random() < 0.1) data = data.subarray(0, below(data.length + 1));
  const bytes = Buffer.from(header, "latin1");
  const out = Buffer.alloc(8 + bytes.length + data.length);
  const odd = below(20);
  const claimed = bytes.length + (odd === 1 ? below(9) - 4 : 0);
  out.writeBigUInt64LE(odd === 0 ? BigInt(below(2 ** 32)) << BigInt(below(32)) : BigInt(claimed) & 0xffffffffn);
  bytes.copy(out, 8);
  out.set(data, 8 + bytes.length);
  return out;
}
