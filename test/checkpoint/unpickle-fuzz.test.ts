import { expect, it } from "vitest";
import { openSource } from "../../src/checkpoint/index.js";
import { convertedChunks, planConversion } from "../../src/cli/convert.js";
import { NcvsdError } from "../../src/errors.js";
import { dump } from "../support/pickle-asm.js";
import { legacyFile, network, snapshot, storageId, tensor, tinyTensors, torchZip } from "../support/pickle-torch.js";

/** Set NCVSD_FUZZ_RUNS and NCVSD_FUZZ_SEED for a longer run by hand. */
const RUNS = Number(process.env.NCVSD_FUZZ_RUNS ?? 10_000);
const SEED = Number(process.env.NCVSD_FUZZ_SEED ?? 5);

/** mulberry32: the same mutants on every machine. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function bases(): Uint8Array[] {
  const tensors = tinyTensors("edm2");
  const all = Buffer.concat([...tensors.values()].map((t) => t.data));
  let offset = 0;
  const inOneStorage = (_name: string, shape: readonly number[], data: Uint8Array) => {
    offset += data.length / 4;
    const at = Math.min(offset - data.length / 4, all.length / 4 - data.length / 4);
    return tensor(storageId("F32", "0", all.length / 4, null), at, shape);
  };
  const one = () => {
    offset = 0;
    return snapshot(network("edm2", { write: inOneStorage }));
  };
  return [
    dump(snapshot(network("edm2")), 2),
    dump(snapshot(network("edm2")), 4),
    dump(snapshot(network("ncvsd")), 5),
    torchZip(one(), { "0": all }),
    legacyFile(one(), [{ key: "0", dtype: "F32", data: all }]),
  ];
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, 1_000_000, 0x10000];
const OPCODES = Buffer.from(
  "().012BCFGIJKLMNPQRSTUVX]abcdeghijloqrstu}\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98",
  "latin1",
);

function mutate(base: Uint8Array, others: readonly Uint8Array[], random: () => number): Uint8Array {
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

it(`${RUNS} mutated snapshots convert or are refused, each in bounded time and memory`, {
  timeout: RUNS * 20 + 60_000,
}, async () => {
  const random = generator(SEED);
  const rssBefore = process.resourceUsage().maxRSS;
  const originals = bases();
  const counts = { converted: 0, refused: 0 };
  const messages = new Set<string>();
  let slowest = 0;
  for (let run = 0; run < RUNS; run++) {
    const bytes = mutate(originals[run % originals.length]!, originals, random);
    const start = performance.now();
    const cpu = process.cpuUsage();
    let written = 0;
    try {
      const { order } = await planConversion(await openSource(bytes));
      for (const item of order) for await (const chunk of convertedChunks(item)) written += chunk.length;
      counts.converted++;
    } catch (error) {
      if (!(error instanceof NcvsdError && error.code === "BAD_CHECKPOINT")) {
        throw new Error(`run ${run} of seed ${SEED}: ${(error as Error).stack}`);
      }
      counts.refused++;
      messages.add(error.message.replace(/\d+/g, "#").slice(0, 60));
    }
    expect(written).toBeLessThanOrEqual(4 * bytes.length);
    const { user, system } = process.cpuUsage(cpu);
    slowest = Math.max(slowest, Math.min(performance.now() - start, (user + system) / 1000));
  }
  expect(slowest).toBeLessThan(1000);
  // Kilobytes, of the whole test process.
  expect(process.resourceUsage().maxRSS - rssBefore).toBeLessThan(500_000);
  // The mutants reach both ends, and many different checks: a fuzzer that dies at the first byte would prove nothing.
  expect(counts.converted).toBeGreaterThan(RUNS / 20);
  expect(counts.refused).toBeGreaterThan(RUNS / 4);
  expect(messages.size).toBeGreaterThan(40);
});
