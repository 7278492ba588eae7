import { describe, expect, it } from "vitest";
import { transformFilters, winograd } from "../../kernels/lib/winograd.js";
import { packGemmWeight } from "../../kernels/network/gemm/weight.js";
import { widenF16 } from "../../src/checkpoint/half.js";
import type { Precision } from "../../src/gpu/contract.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph } from "../../src/graph/graph.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { plainRecipe, WeightStore } from "../../src/layers/weights.js";
import { packWinogradWeight, winogradWeightPieces } from "../../src/layers/winograd-weight.js";

const MIB = 2 ** 20;

/** A device that counts: bytes written and not yet taken, at most; and what ended up in the buffers. */
function countingGpu(precision: Precision) {
  const count = { pending: 0, most: 0, flushed: 0 };
  const buffers = new Map<string, { size: number; bytes: Uint8Array }>();
  const gpu = {
    precision,
    scoped: async (_what: string, action: () => unknown) => action(),
    storage(name: string, size: number) {
      const buffer = { size, bytes: new Uint8Array(size) };
      buffers.set(name, buffer);
      return buffer;
    },
    write(buffer: { bytes: Uint8Array }, data: Uint8Array, offset = 0) {
      expect(data.byteLength % 4).toBe(0);
      buffer.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
      count.pending += data.byteLength;
      count.most = Math.max(count.most, count.pending);
    },
    destroyBuffer() {},
    flushDestroyed() {
      count.flushed = count.pending;
    },
    async idle() {
      count.pending -= count.flushed;
      count.flushed = 0;
    },
  };
  return { gpu: gpu as unknown as Gpu, count, buffers };
}

describe("loading weights", () => {
  it("asks for one tensor at a time and never has more than 64 MiB of writes in flight", async () => {
    const graph = new Graph();
    const lengths = [30 * MIB, 5 * MIB + 3, 1, 9 * MIB];
    lengths.forEach((length, i) => {
      graph.constant(`t${i}`, [length], "f32", plainRecipe(`t${i}`));
    });
    const { gpu, count, buffers } = countingGpu("f32");
    let reading = 0;
    const source = {
      async readF32(name: string) {
        expect(++reading).toBe(1);
        const length = lengths[Number(name.slice(1))]!;
        await new Promise((resolve) => setImmediate(resolve));
        reading--;
        const values = new Float32Array(length);
        values[0] = 1;
        values[length - 1] = length;
        return values;
      },
    };
    const progress: number[] = [];
    await new WeightStore(gpu, source).load(graph, (done) => progress.push(done));
    expect(progress).toEqual([0, 1, 2, 3, 4]);
    expect(count.most).toBeLessThanOrEqual(64 * MIB);
    lengths.forEach((length, i) => {
      const { bytes, size } = buffers.get(`t${i}`)!;
      expect(size % 16).toBe(0);
      const values = new Float32Array(bytes.buffer);
      expect(values[length - 1]).toBe(Math.fround(length));
      expect([...values.subarray(length)]).toEqual(new Array(size / 4 - length).fill(0));
    });
  });

  it("what is made in pieces arrives as one tensor, in f16 too; too few or too many values are an error", async () => {
    const pieces = [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8), Float32Array.of(9, 10)];
    const graph = new Graph();
    const recipe = {
      sources: ["t"],
      make: (): Float32Array => {
        throw new Error("not as a whole");
      },
      pieces: () => pieces,
    };
    graph.constant("t", [10], "weight", recipe);
    const source = { readF32: async () => new Float32Array(1) };
    const full = countingGpu("f32");
    await new WeightStore(full.gpu, source).load(graph);
    expect([...new Float32Array(full.buffers.get("t")!.bytes.buffer)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0]);
    const half = countingGpu("f16-weights");
    await new WeightStore(half.gpu, source).load(graph);
    const values = widenF16(new Uint16Array(half.buffers.get("t")!.bytes.buffer));
    expect([...values.subarray(0, 10)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const length of [9, 11]) {
      const other = new Graph();
      other.constant("t", [length], "weight", recipe);
      const { gpu } = countingGpu("f32");
      const store = new WeightStore(gpu, source);
      await expect(store.load(other)).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
      // What failed does not count as loaded.
      await expect(store.load(other)).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
    }
  });

  it("parts of one tensor read it once", async () => {
    const graph = new Graph();
    const half = (first: number) => ({
      sources: ["whole"],
      make: ([values]: readonly Float32Array[]) => values!.slice(first, first + 4),
    });
    graph.constant("first half", [4], "f32", half(0));
    graph.constant("second half", [4], "f32", half(4));
    graph.constant("another", [1], "f32", plainRecipe("another"));
    graph.constant("first again", [4], "f32", half(0));
    const { gpu, buffers } = countingGpu("f32");
    const reads: string[] = [];
    const source = {
      async readF32(name: string) {
        reads.push(name);
        return name === "whole" ? Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) : Float32Array.of(9);
      },
    };
    await new WeightStore(gpu, source).load(graph);
    expect(reads).toEqual(["whole", "another", "whole"]);
    const values = (name: string) => [...new Float32Array(buffers.get(name)!.bytes.buffer)];
    expect(values("first half")).toEqual([1, 2, 3, 4]);
    expect(values("second half")).toEqual([5, 6, 7, 8]);
    expect(values("first again")).toEqual([1, 2, 3, 4]);
    expect(values("another")[0]).toBe(9);
  });

  it("f16 halves what is written; an odd number of halves is padded to whole words", async () => {
    const graph = new Graph();
    graph.constant("odd", [7], "act", plainRecipe("odd"));
    const { gpu, buffers } = countingGpu("f16");
    await new WeightStore(gpu, { readF32: async () => new Float32Array(7).fill(1) }).load(graph);
    expect([...new Uint16Array(buffers.get("odd")!.bytes.buffer)]).toEqual([...new Array(7).fill(0x3c00), 0]);
  });
});

it("filters are transformed and packed a piece at a time, to the same bits as all at once", () => {
  const random = normalSource(1);
  for (const [rows, depth] of [
    [1, 1],
    [8, 4],
    [19, 7],
    [32, 33],
  ] as const) {
    const w = Float32Array.from({ length: rows * depth * 9 }, random);
    for (const tile of [2, 4] as const) {
      const whole = packGemmWeight(transformFilters(w, rows, depth, tile), winograd(tile).points, rows, depth);
      expect(packWinogradWeight(w, rows, depth, tile)).toEqual(whole);
      const pieces: number[][] = [];
      for (const piece of winogradWeightPieces(w, rows, depth, tile)) pieces.push([...piece]);
      expect(pieces).toHaveLength(winograd(tile).input);
      expect(pieces.flat()).toEqual([...whole]);
    }
  }
});
