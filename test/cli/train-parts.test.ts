import { describe, expect, it } from "vitest";
import { guarded, largestRound } from "../../src/cli/train/parts.js";
import { bad, NcvsdError } from "../../src/errors.js";
import type { Gpu } from "../../src/gpu/device.js";

const gpu = { info: { name: "an adapter" } } as Gpu;

/** A device on which rounds of up to `most` images fit; what was tried and closed is noted. */
function device(most: number) {
  const tried: number[] = [];
  const closed: number[] = [];
  const at = async (batchGpu: number) => {
    tried.push(batchGpu);
    if (batchGpu > most) throw new NcvsdError("OUT_OF_MEMORY", `${batchGpu} are too many`);
    return { batchGpu, close: () => void closed.push(batchGpu) };
  };
  return { tried, closed, at };
}

describe("images of a round", () => {
  it("are the largest part of the batch that fits, 64 at most, or those of the state", async () => {
    const large = device(1000);
    const auto = { gpu, batch: 96, wished: "auto", stored: undefined } as const;
    expect((await largestRound(auto, large.at)).batchGpu).toBe(48);
    expect((await largestRound({ ...auto, batch: 2048 }, large.at)).batchGpu).toBe(64);
    expect((await largestRound({ ...auto, stored: 12 }, large.at)).batchGpu).toBe(12);
    const small = device(7);
    expect((await largestRound(auto, small.at)).batchGpu).toBe(6);
    expect(small.tried).toEqual([48, 32, 24, 16, 12, 8, 6]);
    expect(small.closed).toEqual([]);
  });

  it("that were asked for and do not fit: the message says how many would", async () => {
    const { at, closed } = device(7);
    const asked = { gpu, batch: 96, wished: 32, stored: undefined } as const;
    await expect(largestRound(asked, at)).rejects.toMatchObject({
      code: "OUT_OF_MEMORY",
      message: "--batch-gpu 32 does not fit an adapter: the largest part of --batch 96 that does is 6",
    });
    expect(closed).toEqual([6]);
    await expect(largestRound(asked, device(0).at)).rejects.toThrow("32 are too many");
    const other = async () => Promise.reject(bad("something else"));
    await expect(largestRound(asked, other)).rejects.toThrow("something else");
  });
});

describe("a damaged picture", () => {
  const feed = { fingerprint: "print", batch: async () => Promise.reject(bad("a.png is cut off.")) };
  it("comes with what can be done", async () => {
    const data = guarded(feed, false);
    expect(data.fingerprint).toBe("print");
    await expect(data.batch([0])).rejects.toThrow(/^a\.png is cut off: mend it, or go on without it with --skip-bad$/);
    await expect(guarded(feed, true).batch([0])).rejects.toThrow(/^a\.png is cut off\.$/);
  });
});
