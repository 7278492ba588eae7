import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { npyBytes } from "../../src/checkpoint/npy-write.js";
import { benchmarkMixture, randomMixture } from "../../src/data/mixtures.js";
import { madePoints } from "../../src/data/points.js";
import { tablePoints } from "../../src/data/table.js";
import { bundledMixtures } from "../../src/runs/package.js";
import { Recording } from "../support/fixtures.js";

const folder = mkdtempSync(join(tmpdir(), "points-"));
afterAll(() => rmSync(folder, { recursive: true }));

const moments = (values: ArrayLike<number>, dims: number, d: number) => {
  const own = Array.from(values).filter((_, i) => i % dims === d);
  const mean = own.reduce((a, b) => a + b) / own.length;
  return { mean, std: Math.sqrt(own.reduce((a, b) => a + (b - mean) ** 2, 0) / own.length) };
};

describe("made data sets", () => {
  test("the benchmark's mixtures are the recorded ones, standardised", async () => {
    const recording = await Recording.open("priors/disco-d2.safetensors");
    const { mixture, testPoints } = await benchmarkMixture(bundledMixtures, 2);
    expect(Float32Array.from(mixture.means)).toEqual(await recording.values("d2.means"));
    expect(Float32Array.from(mixture.covs)).toEqual(await recording.values("d2.covs"));
    expect(testPoints.subarray(0, 12)).toEqual(await recording.values("d2.test_points"));
    for (const dims of [2, 10, 50]) {
      const { mixture } = await benchmarkMixture(bundledMixtures, dims);
      const points = mixture.sample(2000, 1);
      for (const d of [0, dims - 1]) {
        expect(Math.abs(moments(points, dims, d).mean)).toBeLessThan(0.1);
        expect(moments(points, dims, d).std).toBeCloseTo(1, 0);
      }
    }
    await expect(benchmarkMixture(bundledMixtures, 3)).rejects.toThrow("take 2, 10 or 50");
  });

  test("the recipe gives standardised mixtures of any dimension, another for another seed", () => {
    const [a, b] = [randomMixture(5, 1), randomMixture(5, 2)];
    expect(a.means).not.toEqual(b.means);
    for (let d = 0; d < 5; d++) {
      let [mean, square] = [0, 0];
      a.weights.forEach((w, k) => {
        const mu = a.means[k * 5 + d]!;
        mean += w * mu;
        square += w * (mu ** 2 + a.covs[k * 25 + d * 6]!);
      });
      expect(mean).toBeCloseTo(0, 10);
      expect(square).toBeCloseTo(1, 10);
    }
  });

  test("moons, rings and checkerboard have their shapes", async () => {
    const of = async (name: string) => (await madePoints(name, bundledMixtures))!;
    const moons = await of("moons");
    expect(moons.values.length).toBe(2 * 1600);
    for (const d of [0, 1]) expect(moments(moons.values, 2, d).std).toBeCloseTo(1, 1);
    const rings = (await of("rings")).values;
    const radii = Array.from({ length: 1000 }, (_, i) => Math.hypot(rings[2 * i]!, rings[2 * i + 1]!) / 2);
    const share = (radius: number) => radii.filter((r) => Math.abs(r - radius) < 0.06).length / radii.length;
    for (const [radius, of] of [
      [0.41, 0.5],
      [0.59, 0.25],
      [0.77, 0.15],
      [0.95, 0.1],
    ] as const)
      expect(Math.abs(share(radius) - of)).toBeLessThan(0.06);
    const board = (await of("checkerboard")).values;
    const tiles = Array.from({ length: 1000 }, (_, i) => {
      const [x, y] = [board[2 * i]!, board[2 * i + 1]!].map((v) => Math.min(3, Math.floor(2 * (v + 1))));
      return x! + y!;
    });
    expect(tiles.every((tile) => tile % 2 === 0)).toBe(true);
    expect((await of("gmm:3")).dims).toBe(3);
    expect(await madePoints("table.csv", bundledMixtures)).toBeUndefined();
    await expect(of("gmm:x")).rejects.toThrow("2 to 256 coordinates");
  });
});

describe("tables", () => {
  const csv = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return tablePoints(path);
  };
  const rows = (of: (i: number) => string) => Array.from({ length: 20 }, (_, i) => of(i)).join("\n");

  test("names, quotes, and what standardising took away", async () => {
    const { values, mean, std, columns, dims } = await csv(
      "a.csv",
      `age,"height, m"\n${rows((i) => `${i},"${2 * i + 1}"`)}\n`,
    );
    expect([dims, columns]).toEqual([2, ["age", "height, m"]]);
    expect(mean).toEqual([9.5, 20]);
    expect(values[3]! * std![1]! + mean![1]!).toBeCloseTo(3, 5);
    expect(
      (
        await csv(
          "b.csv",
          rows((i) => `${i},${i * i}`),
        )
      ).columns,
    ).toBeUndefined();
  });

  for (const [say, text] of [
    ['row 3 has "x" in column "b"', `a,b\n${rows((i) => `${i},${i === 2 ? "x" : i}`)}`],
    ["has NaN", `a,b\n${rows((i) => `${i},${i === 2 ? "NaN" : i}`)}`],
    ['row 3 has nothing in column "1"', rows((i) => `${i},${i === 2 ? "" : i}`)],
    ["one column", rows((i) => `${i}`)],
    ['column "b" is 7 in every row', `a,b\n${rows((i) => `${i},7`)}`],
    ['column "b" has numbers too large', `a,b\n${rows((i) => `${i},${i % 2 ? "" : "-"}1e200`)}`],
    ["2 rows", "1,2\n3,4"],
    ['two columns called "a"', `a,a\n${rows((i) => `${i},${i}`)}`],
    ["no table of comma-separated values", `a,b\n1,2\n3\n`],
    ["is empty", ""],
  ] as const)
    test(say, async () => {
      await expect(async () => csv("bad.csv", text)).rejects.toThrow(say === "has NaN" ? 'row 3 has "NaN"' : say);
    });

  for (const [say, shape, at] of [
    ["has a value that is NaN (element 7)", [20, 2], 7],
    ["has one column", [40, 1], -1],
    ["is an array of shape (40): rows of columns are needed", [40], -1],
  ] as const)
    test(`.npy: ${say}`, async () => {
      const path = join(folder, "bad.npy");
      const values = Float32Array.from({ length: 40 }, (_, i) => (i === at ? Number.NaN : Math.sin(i)));
      writeFileSync(path, npyBytes(values, [...shape]));
      await expect(tablePoints(path)).rejects.toThrow(say);
    });

  test("neither kind", async () => {
    await expect(tablePoints("table.txt")).rejects.toThrow("neither a .npy nor a .csv file");
  });
});
