import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { narrowF16, widenF16 } from "../../src/checkpoint/half.js";
import { relativeError } from "../../src/graph/run-kernel.js";
import { postHocCoefficients, profileProduct, reconstructPostHocEma } from "../../src/train/post-hoc.js";
import { parseSnapshotName, snapshotName } from "../../src/train/snapshot-name.js";
import { fixturePath } from "../support/fixtures.js";
import { RawTensors } from "../support/raw-tensors.js";

const schedules = JSON.parse(readFileSync(fixturePath("training/schedules.json"), "utf8"));
const file = new RawTensors("training/phema.safetensors");
const config = JSON.parse(file.metadata.config!);

/** The average that the reference stored at this time, in f16. */
function snapshot(nimg: number, std: number) {
  const prefix = `snapshot.${String(Math.floor(nimg / 1000)).padStart(7, "0")}-${std.toFixed(3)}.`;
  const tensors = new Map<string, Float32Array>();
  for (const name of ["w0", "w1", "g"]) tensors.set(name, file.f32(`${prefix}${name}.f16`));
  return { time: nimg, std, tensors };
}

describe("post-hoc EMA against recordings", () => {
  for (const which of ["last", "earlier"] as const) {
    it(`${which}: coefficients to 1e-9, sums as the reference's in double precision`, () => {
      const { inputs, out_nimg, out_std } = config[which];
      const snapshots = inputs.map((s: { nimg: number; std: number }) => snapshot(s.nimg, s.std));
      const recorded = file.values(`${which}.coefficients.f64`);
      for (const [k, std] of out_std.entries()) {
        const { coefficients, tensors } = reconstructPostHocEma(snapshots, { std, time: out_nimg });
        const column = inputs.map((_: unknown, i: number) => recorded[i * out_std.length + k]!);
        expect(relativeError(coefficients, column)).toBeLessThan(1e-9);
        expect(coefficients.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
        for (const name of ["w0", "w1"]) {
          const sum = file.values(`${which}.result-${std.toFixed(3)}.${name}.f64`);
          expect(relativeError(tensors.get(name)!, sum), name).toBeLessThan(1e-6);
          // What the tool writes, but for roundings that its sums in f32 decide otherwise.
          const written = file.values(`${which}.result-${std.toFixed(3)}.${name}.f16`);
          const ours = widenF16(narrowF16(tensors.get(name)!));
          expect(ours.filter((x, i) => x !== written[i]).length).toBeLessThanOrEqual(1);
          expect(relativeError(ours, written)).toBeLessThan(1e-3);
        }
      }
    });
  }

  it("comes near to averages that were tracked all along", () => {
    const { inputs, out_nimg } = config.last;
    const snapshots = inputs.map((s: { nimg: number; std: number }) => snapshot(s.nimg, s.std));
    for (const [std, allowed] of [
      [0.03, 2e-2],
      [0.07, 2e-3],
      [0.15, 2e-2],
    ] as const) {
      const { tensors } = reconstructPostHocEma(snapshots, { std, time: out_nimg });
      for (const name of ["w0", "w1"]) {
        const error = relativeError(tensors.get(name)!, file.values(`true-${std.toFixed(3)}.${name}`));
        expect(error, `${std} ${name}`).toBeLessThan(allowed);
      }
    }
  });

  it("larger tables", () => {
    for (const { in_nimg, in_std, out_nimg, out_std, coefficients_in_by_out } of schedules.posthoc) {
      const snapshots = in_nimg.map((time: number, i: number) => ({ time, std: in_std[i] }));
      for (const [k, std] of out_std.entries()) {
        const found = postHocCoefficients(snapshots, { time: out_nimg, std });
        const column = coefficients_in_by_out.map((row: number[]) => row[k]!);
        expect(relativeError(found, column), `std ${std}`).toBeLessThan(1e-9);
      }
    }
    for (const { a_ofs, a_std, b_ofs, b_std, value } of schedules.correlation) {
      expect(profileProduct({ time: a_ofs, std: a_std }, { time: b_ofs, std: b_std }) / value).toBeCloseTo(1, 11);
    }
  });
});

describe("names of snapshots", () => {
  it("are the reference's, and tell the time", () => {
    expect(snapshotName("network-snapshot", 2 ** 24, 0.1)).toBe("network-snapshot-0016777-0.100");
    for (let k = 0; k < 3000; k += 7) {
      const name = { kind: "snapshot", time: 1024 * k, std: 0.05 };
      expect(parseSnapshotName(snapshotName(name.kind, name.time, name.std))).toEqual(name);
    }
    for (const other of [
      "phema-0000016-0.100",
      "snapshot-16-0.1",
      "snapshot-0000016-0.100 (1)",
      "a snapshot-0000016-0.100",
    ])
      expect(parseSnapshotName(other)).toBeUndefined();
  });
});

describe("post-hoc EMA", () => {
  const at = (time: number, std: number, value = 1, name = "w") => ({
    time,
    std,
    tensors: new Map([[name, Float32Array.of(value, 2 * value)]]),
  });

  it("of a stored profile is that profile; snapshots after the time, and of the start, do not count", () => {
    const list = [at(0, 0.1, 100), at(1024, 0.1, 1), at(2048, 0.05, 5), at(2048, 0.1, 2), at(4096, 0.1, 3)];
    const { coefficients, tensors } = reconstructPostHocEma(list, { std: 0.1, time: 2048 });
    expect([...coefficients].map((c) => Math.round(c * 1e9) / 1e9 + 0)).toEqual([0, 0, 0, 1, 0]);
    expect(tensors.get("w")![1]).toBeCloseTo(4, 5);
  });

  it("copies buffers from the latest snapshot", () => {
    const list = [at(1024, 0.1, 1, "emb_fourier.freqs"), at(2048, 0.1, 1 / 3, "emb_fourier.freqs")];
    const { tensors } = reconstructPostHocEma(list, { std: 0.05 });
    expect(tensors.get("emb_fourier.freqs")).toEqual(list[1]!.tensors.get("emb_fourier.freqs"));
  });

  it("refuses what cannot be summed", () => {
    const list = [at(1024, 0.1), at(2048, 0.1)];
    const make = (snapshots: typeof list, options: { std: number; time?: number }) => () =>
      reconstructPostHocEma(snapshots, options);
    expect(make([], { std: 0.1 })).toThrow("no snapshot");
    expect(make([at(0, 0.1)], { std: 0.1 })).toThrow("no snapshot");
    expect(make(list, { std: 0.1, time: 2000 })).toThrow("take one of 1024");
    expect(make(list, { std: 0.29 })).toThrow("between 0 and 0.2887");
    expect(make([...list, at(2048, 0.1)], { std: 0.1 })).toThrow("two snapshots");
    expect(make([...list, at(4096, 0.1, 1, "other")], { std: 0.1 })).toThrow("the tensor other differs");
  });
});
