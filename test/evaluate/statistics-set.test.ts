import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { frechetDistance, readStatistics, writeStatistics } from "../../src/index.js";
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
