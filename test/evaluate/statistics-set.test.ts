import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { factorOf, nuclearNorm, rowProducts } from "../../src/evaluate/nuclear-norm.js";
import { momentsOf, statisticsOf } from "../../src/evaluate/statistics.js";
import { frechetDistance, readStatistics, writeStatistics } from "../../src/index.js";
import { uniforms } from "../../src/random/uniforms.js";
import { fixturePath, relativeError } from "../support/fixtures.js";
import { RawTensors } from "../support/raw-tensors.js";

const expected = new RawTensors("features/stats.expected.safetensors");
const edm2 = fixturePath("features/stats.edm2.pkl");
const folder = mkdtempSync(join(tmpdir(), "statistics-"));
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

  it("refuses what holds none, and endings that it does not write", async () => {
    await expect(readStatistics(fixturePath("features/resize.safetensors"))).rejects.toThrow("no tensors called mean");
    const own = await readStatistics(edm2);
    await expect(writeStatistics(join(folder, "out.txt"), own)).rejects.toThrow("not .txt");
    await expect(writeStatistics(join(folder, "x.npz"), { ...own, cov: own.mean })).rejects.toThrow("do not fit");
  });
});

describe("the distance", () => {
  it("without eigenvectors is the same for every rank", () => {
    const random = uniforms(3, 0);
    const dim = 20;
    for (const [m, n] of [
      [40, 60],
      [12, 50],
      [9, 7],
    ] as const) {
      const sets = [m, n].map((count) =>
        statisticsOf(
          momentsOf(
            Float64Array.from({ length: count * dim }, (_, i) => random() * (1 + (i % dim))),
            dim,
          ),
        ),
      );
      const factors = sets.map(({ cov }) => factorOf(cov, dim));
      expect(factors.map(({ rank }) => rank)).toEqual([Math.min(dim, m - 1), Math.min(dim, n - 1)]);
      const [f, g] = factors as [(typeof factors)[0], (typeof factors)[0]];
      // Of S itself: F^T F.
      const columns = Float64Array.from(
        { length: f.rank * dim },
        (_, i) => f.rows[(i % f.rank) * dim + Math.floor(i / f.rank)]!,
      );
      expect(relativeError(rowProducts(columns, columns, f.rank), sets[0]!.cov)).toBeLessThan(1e-13);
      const norm = nuclearNorm(rowProducts(f.rows, g.rows, dim), f.rank, g.rank);
      const traces = sets.reduce(
        (sum, { cov }) => sum + cov.filter((_, i) => i % (dim + 1) === 0).reduce((a, b) => a + b, 0),
        0,
      );
      const still = sets.map((s) => ({ ...s, mean: new Float64Array(dim) }));
      expect((traces - 2 * norm) / frechetDistance(still[0]!, still[1]!)).toBeCloseTo(1, 6);
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
