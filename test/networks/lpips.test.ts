import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Lpips } from "../../src/networks/features/lpips.js";
import { adapter, cli, cliOk, sentence } from "../support/cli.js";
import { openTestGpu } from "../support/gpu.js";

/** VGG16 with fewer channels: its architecture is what is tested. */
const BLOCKS = [[0, 2], [5, 7], [10, 12, 14], [17, 19, 21], [24, 26, 28]]; // biome-ignore format: a table
const WIDTHS = [6, 9, 11, 12, 12];
const dir = mkdtempSync(join(tmpdir(), "ncvsd-lpips-"));
let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.close();
  rmSync(dir, { recursive: true, force: true });
});

type Weights = Map<string, { shape: number[]; data: Float64Array }>;

function makeWeights(conv: (block: number, index: number) => string, lin: (block: number) => string): Weights {
  const weights: Weights = new Map();
  let seed = 0;
  const add = (name: string, shape: number[], scale: number, positive = false) => {
    const z = normals(
      seed++,
      0,
      shape.reduce((a, b) => a * b, 1),
    );
    const data = z.map((v) => Math.fround((positive ? Math.abs(v) : v) * scale));
    weights.set(name, { shape, data });
  };
  let inside = 3;
  BLOCKS.forEach((layers, b) => {
    for (const index of layers) {
      add(`${conv(b, index)}.weight`, [WIDTHS[b]!, inside, 3, 3], Math.sqrt(2 / (9 * inside)));
      add(`${conv(b, index)}.bias`, [WIDTHS[b]!], 0.1);
      inside = WIDTHS[b]!;
    }
    add(lin(b), [1, WIDTHS[b]!, 1, 1], 1, true);
  });
  return weights;
}

function save(name: string, weights: Weights): string {
  const path = join(dir, name);
  writeFileSync(
    path,
    writeSafetensors(
      [...weights].map(([key, { shape, data }]) => ({ name: key, dtype: "F32", shape, data: Float32Array.from(data) })),
    ),
  );
  return path;
}

const torchvision = makeWeights(
  (_, i) => `features.${i}`,
  (b) => `lin${b}.model.1.weight`,
);

/** LPIPS of one pair, in float64 and plain loops, written from the definition. */
function reference(x: Float32Array, t: Float32Array, [c, h, w]: readonly number[], pool: "mean" | "max"): number {
  const features = (image: Float32Array) => {
    const mean = [0.485, 0.456, 0.406];
    const std = [0.229, 0.224, 0.225];
    let [side0, side1] = [h!, w!];
    let maps = mean.map((m, ch) =>
      Float64Array.from({ length: h! * w! }, (_, p) => {
        const v = image[(c === 1 ? 0 : ch) * h! * w! + p]! / 2 + 0.5;
        return (Math.min(1, Math.max(0, v)) - m) / std[ch]!;
      }),
    );
    return BLOCKS.map((layers, b) => {
      if (b > 0) {
        const [r, q] = [Math.floor(side0 / 2), Math.floor(side1 / 2)];
        maps = maps.map((m) =>
          Float64Array.from({ length: r * q }, (_, p) => {
            const at = 2 * Math.floor(p / q) * side1 + 2 * (p % q);
            const four = [m[at]!, m[at + 1]!, m[at + side1]!, m[at + side1 + 1]!];
            return pool === "max" ? Math.max(...four) : four.reduce((s, v) => s + v, 0) / 4;
          }),
        );
        [side0, side1] = [r, q];
      }
      for (const index of layers) {
        const weight = torchvision.get(`features.${index}.weight`)!;
        const bias = torchvision.get(`features.${index}.bias`)!.data;
        const input = maps;
        maps = Array.from({ length: weight.shape[0]! }, (_, o) =>
          Float64Array.from({ length: side0 * side1 }, (__, p) => {
            let sum = bias[o]!;
            for (let i = 0; i < input.length; i++)
              for (let ky = 0; ky < 3; ky++)
                for (let kx = 0; kx < 3; kx++) {
                  const [y, xx] = [Math.floor(p / side1) + ky - 1, (p % side1) + kx - 1];
                  if (y < 0 || y >= side0 || xx < 0 || xx >= side1) continue;
                  sum += weight.data[((o * input.length + i) * 3 + ky) * 3 + kx]! * input[i]![y * side1 + xx]!;
                }
            return Math.max(0, sum);
          }),
        );
      }
      return maps;
    });
  };
  const [a, b] = [features(x), features(t)];
  return a.reduce((total, maps, block) => {
    const lin = torchvision.get(`lin${block}.model.1.weight`)!.data;
    const positions = maps[0]!.length;
    const unit = (m: Float64Array[], ch: number, p: number) =>
      m[ch]![p]! / (Math.sqrt(m.reduce((s, plane) => s + plane[p]! ** 2, 0)) + 1e-10);
    let sum = 0;
    for (let p = 0; p < positions; p++)
      for (let ch = 0; ch < maps.length; ch++) sum += lin[ch]! * (unit(maps, ch, p) - unit(b[block]!, ch, p)) ** 2;
    return total + sum / positions;
  }, 0);
}

describe("LPIPS", () => {
  test.each([
    ["grey 16x16, mean", [1, 16, 16], "mean"],
    ["RGB 18x25, mean", [3, 18, 25], "mean"],
    ["RGB 16x20, max", [3, 16, 20], "max"],
  ] as const)("%s agrees with its definition in float64, image by image", async (_, shape, mode) => {
    const size = shape[0] * shape[1] * shape[2];
    const x = Float32Array.from(normals(1, 1, 2 * size), (v) => v * 0.6);
    const t = x.map((v, i) => (i < size ? v + 0.3 * Math.sin(i) : 0.2 * Math.cos(i)));
    const lpips = await Lpips.open(gpu, [save("tv.safetensors", torchvision)], mode);
    const ours = await lpips.distances(x, t, shape);
    for (let n = 0; n < 2; n++) {
      const expected = reference(
        x.subarray(n * size, (n + 1) * size),
        t.subarray(n * size, (n + 1) * size),
        shape,
        mode,
      );
      expect(expected).toBeGreaterThan(1e-3);
      expect(Math.abs(ours[n]! / expected - 1)).toBeLessThan(2e-5);
    }
    expect([...(await lpips.distances(x, x, shape))]).toEqual([0, 0]);
  });

  test("with AlexNet, in two files, agrees with its definition in float64", async () => {
    const widths = [4, 20, 5, 6, 3];
    const layers = [[0, 11, 4, 2], [3, 5, 1, 2], [6, 3, 1, 1], [8, 3, 1, 1], [10, 3, 1, 1]] as const; // biome-ignore format: a table
    const trunk: Weights = new Map();
    const lin: Weights = new Map();
    const random = (seed: number, shape: number[], scale: number, positive = false) => {
      const z = normals(
        seed,
        7,
        shape.reduce((a, b) => a * b, 1),
      );
      return { shape, data: z.map((v) => Math.fround((positive ? Math.abs(v) : v) * scale)) };
    };
    layers.forEach(([index, kernel], b) => {
      const inside = b === 0 ? 3 : widths[b - 1]!;
      const shape = [widths[b]!, inside, kernel, kernel];
      trunk.set(`features.${index}.weight`, random(b, shape, Math.sqrt(2 / (inside * kernel ** 2))));
      trunk.set(`features.${index}.bias`, random(10 + b, [widths[b]!], 0.1));
      lin.set(`lin${b}.model.1.weight`, random(20 + b, [1, widths[b]!, 1, 1], 1, true));
    });
    interface Maps {
      readonly side: readonly [number, number];
      readonly planes: readonly Float64Array[];
    }
    /** Sums or maxima over windows, in float64. */
    const windows = (
      { side: [h, w], planes }: Maps,
      [kernel, stride, pad]: readonly number[],
      out: number,
      of: (o: number, at: (i: number, k: number) => number) => number,
    ): Maps => {
      const side = [h, w].map((n) => Math.floor((n + 2 * pad! - kernel!) / stride!) + 1) as [number, number];
      const result = Array.from({ length: out }, (_, o) =>
        Float64Array.from({ length: side[0] * side[1] }, (__, p) => {
          const [top, left] = [Math.floor(p / side[1]) * stride! - pad!, (p % side[1]) * stride! - pad!];
          return of(o, (i, k) => {
            const [row, col] = [top + Math.floor(k / kernel!), left + (k % kernel!)];
            return row < 0 || row >= h || col < 0 || col >= w ? 0 : planes[i]![row * w + col]!;
          });
        }),
      );
      return { side, planes: result };
    };
    const shape = [3, 35, 33] as const;
    const features = (image: Float32Array) => {
      const [mean, std] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]; // biome-ignore format: short
      const plane = shape[1] * shape[2];
      let maps: Maps = {
        side: [shape[1], shape[2]],
        planes: mean!.map((m, c) =>
          Float64Array.from({ length: plane }, (_, p) => (image[c * plane + p]! / 2 + 0.5 - m) / std![c]!),
        ),
      };
      return layers.map(([index, kernel, stride, pad], b) => {
        if (b === 1 || b === 2)
          maps = windows(maps, [3, 2, 0], maps.planes.length, (o, at) =>
            Math.max(...Array.from({ length: 9 }, (_, k) => at(o, k))),
          );
        const [weight, bias] = ["weight", "bias"].map((part) => trunk.get(`features.${index}.${part}`)!.data);
        const inside = maps.planes.length;
        maps = windows(maps, [kernel, stride, pad], widths[b]!, (o, at) => {
          let sum = bias![o]!;
          for (let i = 0; i < inside; i++)
            for (let k = 0; k < kernel ** 2; k++) sum += weight![(o * inside + i) * kernel ** 2 + k]! * at(i, k);
          return Math.max(sum, 0);
        });
        return maps.planes;
      });
    };
    const size = 3 * 35 * 33;
    // Values leave [-1, 1]: the package does not clip.
    const x = Float32Array.from(normals(1, 1, size), (v) => v * 0.8);
    const t = x.map((v, i) => v + 0.3 * Math.sin(i));
    const [a, b] = [features(x), features(t)];
    let expected = 0;
    a.forEach((maps, block) => {
      const weights = lin.get(`lin${block}.model.1.weight`)!.data;
      const norm = (planes: readonly Float64Array[], p: number) => Math.hypot(...planes.map((m) => m[p]!)) + 1e-10;
      const positions = maps[0]!.length;
      for (let p = 0; p < positions; p++)
        maps.forEach((m, c) => {
          expected += (weights[c]! * (m[p]! / norm(maps, p) - b[block]![c]![p]! / norm(b[block]!, p)) ** 2) / positions;
        });
    });
    const lpips = await Lpips.open(gpu, [save("alex.safetensors", trunk), save("lin.safetensors", lin)], "mean");
    const [distance] = await lpips.distances(x, t, shape);
    expect(Math.abs(distance! / expected - 1)).toBeLessThan(2e-6);
    await expect(lpips.distances(x.subarray(0, 900), t.subarray(0, 900), [1, 30, 30])).rejects.toThrow(
      "with AlexNet needs images of at least 31x31",
    );
  });

  test("the lpips package's names are known too; what is missing or misshapen is named", async () => {
    const own = makeWeights(
      (b, i) => `net.slice${b + 1}.${i}`,
      (b) => `lin${b}.model.1.weight`,
    );
    const x = Float32Array.from(normals(1, 1, 256));
    const lpips = await Lpips.open(gpu, [save("lpips.safetensors", own)], "mean");
    const same = await Lpips.open(gpu, [save("tv.safetensors", torchvision)], "mean");
    const t = x.map((v) => -v);
    expect(await lpips.distances(x, t, [1, 16, 16])).toEqual(await same.distances(x, t, [1, 16, 16]));
    // The trunk and a list of layers without names, in two files.
    const isLayer = (name: string) => name.startsWith("lin");
    const trunk = save("trunk.safetensors", new Map([...own].filter(([name]) => !isLayer(name))));
    const list = [...own].filter(([name]) => isLayer(name)).map(([, layer], i) => [String(i), layer] as const);
    const two = await Lpips.open(gpu, [trunk, save("list.safetensors", new Map(list))], "mean");
    expect(await two.distances(x, t, [1, 16, 16])).toEqual(await same.distances(x, t, [1, 16, 16]));
    await expect(Lpips.open(gpu, [trunk], "mean")).rejects.toThrow("lin0");
    const broken = new Map(torchvision);
    broken.delete("lin3.model.1.weight");
    await expect(Lpips.open(gpu, [save("broken.safetensors", broken)], "mean")).rejects.toThrow(
      /no weights of LPIPS.*lin3/,
    );
    broken.set("lin3.model.1.weight", { shape: [1, 5, 1, 1], data: new Float64Array(5) });
    await expect(Lpips.open(gpu, [save("broken.safetensors", broken)], "mean")).rejects.toThrow(
      /5 weights for 12 channels/,
    );
    await expect(lpips.distances(x, x, [1, 8, 32])).rejects.toThrow(/at least 16x16/);
  });

  test("restore --lpips reports it of every reconstruction, and not without the truth", async () => {
    const weights = save("cli.safetensors", torchvision);
    const line = [..."restore --task box_inpainting --steps 3 --runs 1 --images 0 --quiet".split(" "), ...adapter];
    const { stdout } = await cliOk([...line, "--lpips", weights, "--outdir", join(dir, "out"), "--json"]);
    const { summary } = JSON.parse(stdout) as { summary: { method: string; lpips?: number }[] };
    expect(summary.map(({ method, lpips }) => [method, lpips! > 0])).toEqual([
      ["measurement", true],
      ["harmonic", true],
      ["PnP-GD, one sample", true],
    ]);
    expect(readFileSync(join(dir, "out/metrics.md"), "utf8")).toContain("| PSNR (dB) | SSIM | LPIPS | chi^2 |");
    const real = [...line, "--measurement", join(dir, "out/000000/values.safetensors"), "--outdir", join(dir, "real")];
    const refused = await cli([...real, "--lpips", weights]);
    expect([refused.code, sentence(refused)]).toEqual([2, expect.stringMatching(/--lpips compares with the truth/)]);
    const missing = await cli([...line, "--lpips", join(dir, "none.safetensors"), "--outdir", join(dir, "real")]);
    expect([missing.code, sentence(missing)]).toEqual([1, expect.stringMatching(/none.safetensors/)]);
  });
});
