import { expect, it } from "vitest";
import { openSource } from "../../src/checkpoint/index.js";
import { convertedChunks, planConversion } from "../../src/cli/convert.js";
import { NcvsdError } from "../../src/errors.js";
import { pickles } from "../fuzz/targets.js";
import { mutateBytes, seeded } from "../support/mutate.js";

const RUNS = 10_000;
const SEED = 5;

it(`${RUNS} mutated snapshots convert or are refused, each in bounded time and memory`, {
  timeout: RUNS * 20 + 60_000,
}, async () => {
  const random = seeded(SEED);
  const rssBefore = process.resourceUsage().maxRSS;
  const originals = pickles();
  const counts = { converted: 0, refused: 0 };
  const messages = new Set<string>();
  let slowest = 0;
  for (let run = 0; run < RUNS; run++) {
    const bytes = mutateBytes(originals[run % originals.length]!, originals, random);
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
