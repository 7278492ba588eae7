import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { NcvsdError } from "../../src/errors.js";
import { seeded } from "../support/mutate.js";
import { DATASET_TARGETS } from "./dataset-targets.js";
import { emptied, TARGETS, type Target } from "./targets.js";

/** `npm run fuzz` sets these: mutants of all targets together, the seed, one target, one mutant. */
const TOTAL = Number(process.env.NCVSD_FUZZ_RUNS ?? 1500);
const SEED = Number(process.env.NCVSD_FUZZ_SEED ?? 7);
const ONLY = process.env.NCVSD_FUZZ_TARGET;
const ONE = process.env.NCVSD_FUZZ_MUTANT;

/** No mutant may take longer, on a machine that others keep busy too, nor more memory than the whole run. */
const SECONDS = 5;
const PEAK_MIB = 1500;

const folder = mkdtempSync(join(tmpdir(), "ncvsd-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mib = () => Math.round(process.resourceUsage().maxRSS / 1024);

/** Mutant `i`: the same whatever ran before it. */
function mutantOf(target: Target, i: number): Uint8Array {
  const { bases } = target;
  return target.mutate(bases[i % bases.length]!, bases, seeded(SEED * 1_000_003 + i));
}

async function fuzz(target: Target, runs: number): Promise<void> {
  const counts = { read: 0, refused: 0 };
  const sentences = new Set<string>();
  let slowest = 0;
  const indices = ONE === undefined ? Array.from({ length: runs }, (_, i) => i) : [Number(ONE)];
  for (const i of indices) {
    const mutant = mutantOf(target, i);
    const again = `npm run fuzz -- --target ${target.name} --seed ${SEED} --mutant ${i}`;
    const cpu = process.cpuUsage();
    try {
      await target.read(mutant, emptied(join(folder, target.name)));
      counts.read++;
    } catch (error) {
      if (!(error instanceof NcvsdError) || error.message.length > 3000) {
        const file = join(tmpdir(), `ncvsd-fuzz-${target.name}-${SEED}-${i}`);
        writeFileSync(file, mutant);
        throw new Error(`${again} (the mutant: ${file}) ended in ${error instanceof Error ? error.stack : error}`);
      }
      counts.refused++;
      sentences.add(error.message.replaceAll(folder, "").replace(/\d+/g, "#").slice(0, 80));
    }
    const { user, system } = process.cpuUsage(cpu);
    slowest = Math.max(slowest, (user + system) / 1e6);
    if (slowest > SECONDS) throw new Error(`${again} took ${slowest.toFixed(1)} s`);
  }
  process.stderr.write(
    `${target.name}: ${counts.read} read, ${counts.refused} refused in ${sentences.size} ways, slowest ${slowest.toFixed(2)} s, peak memory ${mib()} MiB\n`,
  );
  if (ONE !== undefined) return;
  // Mutants reach both ends: a target that refuses everything at the first byte would show nothing.
  expect(counts.refused).toBeGreaterThan(runs / 20);
  expect(counts.read).toBeGreaterThan(0);
  expect(sentences.size).toBeGreaterThan(0);
  expect(mib()).toBeLessThan(PEAK_MIB);
}

describe("mutants are read or refused with a sentence, each in bounded time and memory", () => {
  const chosen = [...TARGETS, ...DATASET_TARGETS].filter(({ name }) => ONLY === undefined || name === ONLY);
  it.each(chosen)("$name", { timeout: 60_000 + TOTAL * 200 }, (target) =>
    fuzz(target, Math.ceil(TOTAL / chosen.length)),
  );
  it("has the targets that were asked for", () => expect(chosen.length).toBeGreaterThan(0));
});
