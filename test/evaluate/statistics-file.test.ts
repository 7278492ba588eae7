import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Matrix, SVD } from "ml-matrix";
import { afterAll, describe, expect, it } from "vitest";
import { type Factor, factorOf, factorProduct } from "../../src/evaluate/covariance-factor.js";
import { FrechetReference } from "../../src/evaluate/frechet.js";
import { nuclearNorm } from "../../src/evaluate/nuclear-norm.js";
import { requireSameNetwork } from "../../src/evaluate/same-features.js";
import { momentsOf, type Statistics, statisticsOf } from "../../src/evaluate/statistics.js";
import { statisticsBytes } from "../../src/evaluate/statistics-file.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { frechetDistance, readStatistics, writeStatistics } from "../../src/index.js";
import { fixturePath, relativeError, weightsPath } from "../support/fixtures.js";
import { RawTensors } from "../support/raw-tensors.js";

const expected = new RawTensors("features/stats.expected.safetensors");
const edm2 = fixturePath("features/stats.edm2.pkl");
const folder = mkdtempSync(join(tmpdir(), "statistics-"));
const rowsOf = (values: ArrayLike<number> & { subarray(a: number, b: number): Iterable<number> }, width: number) =>
  Array.from({ length: values.length / width }, (_, i) => [...values.subarray(i * width, (i + 1) * width)]);
afterAll(() => rmSync(folder, { recursive: true }));

describe("statistics files", () => {
  it("reads both metrics of EDM2's pickle, FID first", async () => {
    const { metric, count, mean, cov, metrics } = await readStatistics(edm2);
    expect({ metric, count }).toEqual({ metric: "fid", count: 130 });
    expect(mean).toEqual(expected.values("fid.mu"));
    expect(cov).toEqual(expected.values("fid.sigma"));
    expect(Object.keys(metrics!)).toEqual(["fid", "fd_dinov2"]);
    const other = await readStatistics(new Blob([readFileSync(edm2)]), { metric: "fd_dinov2" });
    expect(other.cov).toEqual(expected.values("fd_dinov2.sigma"));
    await expect(readStatistics(edm2, { metric: "kid" })).rejects.toThrow("there is fid, fd_dinov2");
  });

  it("makes a mean and a covariance of StyleGAN3's sums", async () => {
    const { count, mean, cov } = await readStatistics(fixturePath("features/stats.stylegan3-cache.pkl"));
    expect(count).toBe(130);
    expect(relativeError(mean, expected.values("fid.mu"))).toBeLessThan(1e-14);
    // Their divisor is n.
    const sigma = expected.values("fid.sigma").map((v) => (v * 129) / 130);
    expect(relativeError(cov, sigma)).toBeLessThan(1e-14);
  });

  it.each(["pkl", "safetensors", "npz"])("writes .%s so that it reads the same", async (ending) => {
    const own = await readStatistics(edm2);
    const told = { network: "inception-v3-fid", variant: "nvidia", sha256: "ab12" };
    const path = join(folder, `out.${ending}`);
    const metrics = { fid: { ...own.metrics!.fid!, ...told }, fd_dinov2: own.metrics!.fd_dinov2! };
    await writeStatistics(path, { ...own, ...told, metrics });
    const back = await readStatistics(path);
    expect([back.mean, back.cov, back.metric]).toEqual([own.mean, own.cov, "fid"]);
    if (ending !== "npz") expect(back).toMatchObject({ ...told, count: 130 });
    if (ending === "pkl") expect(back.metrics!.fd_dinov2).toEqual(own.metrics!.fd_dinov2);
  });

  it("knows of which network EDM2's pickles are, and guesses nothing of ours", async () => {
    const dim = 1024;
    const cov = new Float64Array(dim * dim);
    const own = statisticsBytes("x.pkl", { count: 9, mean: new Float64Array(dim), cov, metric: "fd_dinov2" });
    const ours = await readStatistics(own);
    expect([ours.metric, ours.network, ours.variant]).toEqual(["fd_dinov2", undefined, undefined]);
    const theirs = await readStatistics(own.with(Buffer.from(own).indexOf("ncvsd-gpu"), 0x4e));
    expect(theirs).toMatchObject({ network: "dinov2-vitl14", variant: "hub" });
    const other = { name: "dinov2-vitl14-reg4", variant: "hub", sha256: "c", dim, metric: "fd_dinov2" };
    expect(() => requireSameNetwork("x.pkl", theirs, other)).toThrow("networks, dinov2-vitl14 and dinov2-vitl14-reg4");
  });

  it("keeps every bit, and what it is of; the bundled file is of the bundled network", async () => {
    const network = { name: "fashion32-features", sha256: "a".repeat(64), dim: 4 };
    const statistics = statisticsOf(momentsOf(Float32Array.from({ length: 80 }, normalSource(1)), 4));
    const path = join(folder, "own.safetensors");
    writeFileSync(path, statisticsBytes(path, { ...statistics, network: network.name, sha256: network.sha256 }));
    const own = await readStatistics(path);
    expect(own).toMatchObject({ ...statistics, network: network.name, sha256: network.sha256 });
    expect(requireSameNetwork(path, own, network)).toBeUndefined();
    const refused = (change: object) => () => requireSameNetwork(path, own, { ...network, ...change });
    expect(refused({ name: "inception-v3-fid" })).toThrow("different feature networks, fashion32-features and incep");
    expect(refused({ sha256: "b".repeat(64) })).toThrow(
      "different weights (SHA-256), aaaaaaaaaaaa... and bbbbbbbbbbbb",
    );
    expect(refused({ dim: 5 })).toThrow("statistics of 4 features, but fashion32-features has 5");
    const bundled = await readStatistics(weightsPath("fashion32-reference-stats.safetensors"));
    expect(bundled).toMatchObject({ network: "fashion32-features", count: 10_000 });
    expect(() => new FrechetReference(bundled)).not.toThrow();
  });

  it("reads NumPy archives, stored or compressed, of float32 or float64", async () => {
    const plain = await readStatistics(fixturePath("npz/stats.npz"));
    expect(plain.mean).toEqual(Float64Array.of(-0.1982300534051298, 0.08947107288721197, 0.2978206158751787));
    expect(plain.cov[1]).toBe(0.09503534977715575);
    expect(plain.count).toBeUndefined();
    const packed = await readStatistics(fixturePath("npz/stats-f32-compressed.npz"));
    expect(packed.count).toBe(50);
    expect(packed.mean).toEqual(Float64Array.from(plain.mean, Math.fround));
    const source = { name: "inception-v3-fid", variant: "nvidia", sha256: "c", dim: 3 };
    expect(requireSameNetwork("x.npz", packed, source)).toContain("taken for inception-v3-fid, variant nvidia");
  });

  it("what is damaged, or something else, is a sentence", async () => {
    const put = (name: string, bytes: string | Uint8Array) => {
      writeFileSync(join(folder, name), bytes);
      return readStatistics(join(folder, name));
    };
    await expect(put("bad.npz", "nothing")).rejects.toThrow("bad.npz is no .npz file");
    await expect(put("one.npy", Uint8Array.of(0x93, 78, 85, 77, 80, 89, 1, 0))).rejects.toThrow("NumPy");
    await expect(put("text.pkl", "nothing")).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
    for (const [name, whole] of [
      ["npz", readFileSync(fixturePath("npz/stats.npz"))],
      ["pkl", readFileSync(edm2)],
    ] as const) {
      await expect(put(`cut.${name}`, whole.subarray(0, 300))).rejects.toMatchObject({ name: "NcvsdError" });
      for (let at = 0; at < Math.min(whole.length, 1500); at += 3) {
        const broken = Uint8Array.from(whole);
        broken[at]! ^= 0x5a;
        // Whatever the damage, it is a sentence or a number, never a crash of another kind.
        await readStatistics(broken).catch((e) => expect(e).toMatchObject({ name: "NcvsdError" }));
      }
    }
  });

  it("refuses what holds none, and endings that it does not write", async () => {
    await expect(readStatistics(fixturePath("features/resize.safetensors"))).rejects.toThrow("no tensors called mean");
    const own = await readStatistics(edm2);
    await expect(writeStatistics(join(folder, "out.txt"), own)).rejects.toThrow("not .txt");
    await expect(writeStatistics(join(folder, "x.npz"), { ...own, cov: own.mean })).rejects.toThrow("do not fit");
  });
});

describe("the distance", () => {
  const hard = new RawTensors("metrics/frechet-hard.safetensors");
  const square = (name: string) => {
    const mean = hard.values(name.replace("sigma", "mu")) as Float64Array;
    const [dim, half] = [mean.length, hard.values(name)];
    const at = (i: number, j: number) => half[(Math.max(i, j) * (Math.max(i, j) + 1)) / 2 + Math.min(i, j)]!;
    const cov = Float64Array.from({ length: dim * dim }, (_, k) => at(Math.floor(k / dim), k % dim));
    return { count: 1000, mean, cov };
  };

  // Of repeated features the reference's two ways differ by 1.6e-7 from one another: roots of what rounding leaves of zeros.
  it.each([
    ["relu", 1e-12],
    ["decaying", 1e-12],
    ["duplicated", 3e-7],
    ["far", 1e-12],
  ])("is the recorded one of the case %s, both ways round", (name, most) => {
    const [a, b] = [square(`${name}.sigma_a`), square(`${name}.sigma_b`)];
    const recorded = hard.values(`${name}.distance`)[0]!;
    for (const found of [frechetDistance(a, b), frechetDistance(b, a)])
      expect(Math.abs(found / recorded - 1)).toBeLessThan(most);
    expect(frechetDistance(a, { ...a, cov: a.cov.slice() })).toBe(0);
  });

  it("is the recorded one of fewer pictures than features", () => {
    const sets = ["a", "b"].map((s) => hard.values(`rank_deficient.${s}`));
    const [a, b] = sets.map((rows) => statisticsOf(momentsOf(rows, 32))) as [Statistics, Statistics];
    expect(Math.abs(frechetDistance(a, b) / hard.values("rank_deficient.distance")[0]! - 1)).toBeLessThan(3e-8);
    // Without a covariance: tr (S R)^(1/2) is the sum of the singular values of A B^T of the centred features.
    const [x, y] = sets.map((rows) => new Matrix(rowsOf(rows, 32)).center("column")) as [Matrix, Matrix];
    const roots = new SVD(x.mmul(y.transpose())).diagonal.reduce((sum, v) => sum + v, 0) / Math.sqrt(19 * 24);
    const [squares, means] = [x.norm() ** 2 / 19 + y.norm() ** 2 / 24, a.mean.map((v, i) => (v - b.mean[i]!) ** 2)];
    const exact = means.reduce((sum, v) => sum + v, 0) + squares - 2 * roots;
    expect(Math.abs(frechetDistance(a, b) / exact - 1)).toBeLessThan(1e-12);
  });

  it("rests on factors of any rank, and on values of matrices of any shape", () => {
    const random = normalSource(3);
    const dim = 70;
    for (const [m, n] of [
      [140, 160],
      [32, 150],
      [9, 7],
    ] as const) {
      const sets = [m, n].map((count) => {
        const rows = Float64Array.from({ length: count * dim }, (_, i) => random() * (1 + (i % dim)));
        return statisticsOf(momentsOf(rows, dim)).cov;
      });
      const [f, g] = sets.map((cov) => factorOf(cov, dim)) as [Factor, Factor];
      expect([f.rank, g.rank]).toEqual([Math.min(dim, m - 1), Math.min(dim, n - 1)]);
      // F^T F is S, with its features in the factor's order.
      const s = new Float64Array(dim * dim);
      for (let k = 0; k < f.rank; k++)
        for (let i = 0; i < dim; i++)
          for (let j = 0; j < dim; j++)
            s[f.order[i]! * dim + f.order[j]!]! += f.rows[k * dim + i]! * f.rows[k * dim + j]!;
      expect(relativeError(s, sets[0]!)).toBeLessThan(1e-13);
      // The squares of the singular values of F G^T are those of its own product: trace and norm, two ways.
      const product = factorProduct(f, g);
      const squares = product.reduce((sum, v) => sum + v * v, 0);
      let traces = 0;
      for (let i = 0; i < dim; i++)
        for (let j = 0; j < dim; j++) traces += sets[0]![i * dim + j]! * sets[1]![j * dim + i]!;
      expect(Math.abs(squares / traces - 1)).toBeLessThan(1e-12);
      const turned = Float64Array.from(product, (_, i) => product[(i % f.rank) * g.rank + Math.floor(i / f.rank)]!);
      const norm = nuclearNorm(product.slice(), f.rank, g.rank);
      expect(Math.abs(nuclearNorm(turned, g.rank, f.rank) / norm - 1)).toBeLessThan(1e-13);
      const singular = new SVD(new Matrix(rowsOf(product, g.rank))).diagonal.reduce((sum, v) => sum + v, 0);
      expect(Math.abs(norm / singular - 1)).toBeLessThan(1e-12);
    }
  });

  it("of 600 features, shifted and scaled", () => {
    const dim = 600;
    const cov = new Float64Array(dim * dim);
    for (let i = 0; i < dim; i++) for (let j = 0; j < dim; j++) cov[i * dim + j] = 0.9 ** Math.abs(i - j);
    const a = { count: 1000, mean: new Float64Array(dim), cov };
    const b = { count: 1000, mean: new Float64Array(dim).fill(0.1), cov: cov.map((v) => 4 * v) };
    // tr(S + 4 S - 2 (4 S S)^(1/2)) = tr S
    expect(frechetDistance(a, b)).toBeCloseTo(0.01 * dim + dim, 7);
  });

  it("is that of the features, and of none where anything says that they differ", async () => {
    const own = await readStatistics(edm2);
    const moved = { ...own, mean: own.mean.map((v) => v + 0.5) };
    expect(frechetDistance(own, moved)).toBeCloseTo(0.25 * own.mean.length, 6);
    const nvidia = { ...own, network: "inception-v3-fid", variant: "nvidia", sha256: "ab" };
    expect(frechetDistance(nvidia, own)).toBeLessThan(1e-6);
    for (const other of [
      { variant: "pytorch-fid" },
      { sha256: "cd" },
      { network: "dinov2-vitl14" },
      { metric: "fd_dinov2" },
    ])
      expect(() => frechetDistance(nvidia, { ...nvidia, ...other })).toThrow("of different");
  });
});
