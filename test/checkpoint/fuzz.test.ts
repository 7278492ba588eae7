import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Checkpoint, openCheckpoint } from "../../src/checkpoint/index.js";
import { NcvsdError } from "../../src/errors.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { validateTensors } from "../../src/networks/edm2/names.js";
import { mutateSafetensors, seeded } from "../support/mutate.js";
import { fixturePath } from "../support/safetensors-fixture.js";

it("10,000 mutated checkpoints either load completely or are a BAD_CHECKPOINT, quickly", async () => {
  const file = new Uint8Array(readFileSync(fixturePath("edm2-tiny-uncond.safetensors")));
  const next = seeded(20240717);
  const counts = { opened: 0, parsed: 0, valid: 0, refused: 0 };
  let slowest = 0;
  for (let i = 0; i < 10_000; i++) {
    const mutated = mutateSafetensors(file, next);
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
