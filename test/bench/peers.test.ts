/**
 * The comparison with other runtimes rests on one description of the U-Net (bench/peers/network/unet.mjs): here it is the network
 * that ncvsd-gpu evaluates, by the independent float64 reference. The peers themselves are not installed for tests.
 */
import { expect, test } from "vitest";
import { relativeError } from "../../src/graph/run-kernel.js";
import type { NetworkConfig } from "../../src/networks/edm2/arguments.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { expectedTensors } from "../../src/networks/edm2/names.js";
import { referenceTeacher } from "../support/reference-network.js";

// Not by a literal: the scripts are plain JavaScript, which has no types.
const load = (path: string) => import(new URL(`../../bench/peers/${path}`, import.meta.url).href);

function smallConfig(): NetworkConfig {
  const given = {
    img_resolution: 8,
    img_channels: 2,
    label_dim: 0,
    model_channels: 8,
    channel_mult: [1, 2],
    num_blocks: 1,
    attn_resolutions: [4],
    channels_per_head: 8,
    clip_act: 1.5,
  };
  const metadata = { format: "pt", architecture: "edm2", config: JSON.stringify(given) };
  return parseConfig({ name: "small", metadata, tensors: new Map() } as never).config;
}

test("the peers' U-Net is EDM2's", async () => {
  const { foldedUnet, runUnet } = await load("network/unet.mjs");
  const { float64 } = await load("reference/float64.mjs");
  const config = smallConfig();
  let state = 1;
  const random = () => {
    state = (state * 16807) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  };
  const tensors = new Map(
    [...expectedTensors("edm2", config)].map(([name, shape]) => {
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * random());
      return [name, values] as const;
    }),
  );
  const read = (name: string) => tensors.get(name)!;
  const sigma = 0.7;
  const x = Float64Array.from({ length: 2 * 8 * 8 }, () => 2 * random());

  const net = foldedUnet(config, read, sigma);
  const image = { c: 2, h: 8, w: 8, v: x };
  const found = runUnet(float64, net, image, Float64Array.of(Math.log(sigma) / 4)).v;

  const { d } = referenceTeacher(config, read, x, sigma, []);
  // The folded weights are rounded to float32.
  expect(relativeError(found, d)).toBeLessThan(1e-6);
  expect(relativeError(x, d)).toBeGreaterThan(0.05);
});

test("the reference's gradient of a training step is that of its loss", async () => {
  const { trainingStep } = await load("network/training.mjs");
  const { trainingGradient, trainingLoss } = await load("reference/training.mjs");
  const step = trainingStep(smallConfig(), 0.7, 2);
  const parameters: ReadonlyMap<string, Float32Array> = step.parameters;
  const gradient: Float64Array = trainingGradient(step);
  // All layers of a kind together, each along its gradient.
  const kinds = new Map<string, Map<string, Float64Array>>();
  let at = 0;
  for (const [name, { length }] of parameters) {
    const kind = name
      .replace(/\.weight$/, "")
      .split(".")
      .at(-1)!;
    const of = kinds.get(kind) ?? new Map();
    kinds.set(kind, of.set(name, gradient.subarray(at, at + length)));
    at += length;
  }
  expect(at).toBe(gradient.length);
  for (const [kind, own] of kinds) {
    const lengths = [...own.values()].map((values) => Math.hypot(...values));
    expect(Math.min(...lengths), kind).toBeGreaterThan(0);
    const moved = (by: number) => {
      const there = Array.from(own, ([name, along], i) => {
        const values = Float64Array.from(parameters.get(name)!, (v, j) => v + (by * along[j]!) / lengths[i]!);
        return [name, values] as const;
      });
      return trainingLoss({ ...step, parameters: new Map<string, unknown>([...parameters, ...there]) });
    };
    const h = 1e-5;
    const slope = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h);
    const expected = lengths.reduce((sum, length) => sum + length, 0);
    expect(Math.abs(slope / expected - 1), kind).toBeLessThan(1e-6);
  }
});

test("the time of a wrong contender, or of one that is no peer, does not count", async () => {
  const { figures, timesTable } = await load("report.mjs");
  const row = { id: "row", title: "a row", flops: 4e6, target: 2 };
  const cells = new Map([
    ["ours", { times: [2, 1, 9], error: 1e-6, failure: null }],
    ["wrong", { times: [0.1], error: 0.5, failure: "wrong (error 5e-1)" }],
    ["slow", { times: [8, 6], error: 1e-6, failure: null }],
    ["cpu", { times: [3], error: 1e-6, failure: null }],
    ["absent", { times: [], error: null, failure: "not installed" }],
  ]);
  const result = figures({ row, cells }, { fma: 4, copy: 9 }, { ours: "ours", peers: ["wrong", "slow", "absent"] });
  expect(result).toMatchObject({ fastestPeer: "slow", ratio: 3.5, rate: 2, shareOfPeak: 0.5 });
  expect(result.contenders.ours).toMatchObject({ median: 2, min: 1 });
  expect(result.contenders.wrong).toMatchObject({ median: null, min: null });
  const table: string = timesTable([result], ["ours", "wrong", "slow", "cpu", "absent"]);
  expect(table).toContain(
    "| a row | 2.00 | wrong (error 5e-1) | 7.00 | 3.00 | not installed | slow | 3.50 | 2 | 2.0 GFLOP/s | 0.50 |",
  );
});

test("rows are chosen by parts of their names", async () => {
  const { selectRows } = await load("rows.mjs");
  const ids = (filter: string) => selectRows(filter).map(({ id }: { id: string }) => id);
  expect(ids("conv1x1, unet")).toEqual(["conv1x1-768-8", "unet"]);
  expect(() => selectRows("convolution")).toThrow(/no row "convolution": the rows are conv3x3-192-64, /);
});
