import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import type { Architecture, NcvsdConfig } from "../../src/networks/edm2/arguments.js";
import { DEFAULTS } from "../../src/networks/edm2/config.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { expectedTensors } from "../../src/networks/edm2/names.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";
import { referenceNcvsd, referenceTeacher } from "../support/reference-network.js";

const TOLERANCE = 2e-5;

/** Every constructor argument away from its default somewhere; odd channels, odd and non-square-friendly sizes. */
const CONFIGS: [string, Partial<NcvsdConfig>][] = [
  ["defaults, small", {}],
  [
    "sides 12, 6, 3: attention over 9 and 36 pixels",
    { img_resolution: 12, channel_mult: [1, 2, 2], attn_resolutions: [6, 3], channels_per_head: 4 },
  ],
  ["one level", { channel_mult: [2], attn_resolutions: [] }],
  ["odd channels", { model_channels: 7, channel_mult: [1, 3], channels_per_head: 7 }],
  ["no classes, one channel", { label_dim: 0, img_channels: 1 }],
  ["five channels, three classes", { label_dim: 3, img_channels: 5 }],
  ["filter 1,3,3,1", { resample_filter: [1, 3, 3, 1] }],
  ["filter of six taps", { resample_filter: [1, 5, 10, 10, 5, 1] }],
  ["balances", { res_balance: 0.45, attn_balance: 0.2, concat_balance: 0.35, label_balance: 0.7 }],
  ["clipping at 1", { clip_act: 1 }],
  ["no clipping", { clip_act: null }],
  ["own embedding sizes", { channel_mult_noise: 3, channel_mult_emb: 5, logvar_channels: 17 }],
  ["two blocks a level, sigma_data 0.8", { num_blocks: 2, sigma_data: 0.8 }],
  ["no blocks in the encoder", { num_blocks: 0 }],
  ["heads of 3 channels", { model_channels: 12, channels_per_head: 3, attn_resolutions: [8, 4] }],
  ["fewer channels than a head: no attention", { channels_per_head: 64 }],
];

const BASE = {
  ...DEFAULTS,
  img_resolution: 8,
  img_channels: 3,
  label_dim: 4,
  model_channels: 8,
  channel_mult: [1, 2],
  num_blocks: 1,
  attn_resolutions: [4],
  channels_per_head: 8,
} satisfies NcvsdConfig;

/** Random weights of uneven scales; gains and mixing weights in their usual range, some mixing weights outside of [0, 1]. */
function randomWeights(
  architecture: Architecture,
  config: NcvsdConfig,
  seed: number,
): Map<string, { shape: number[]; data: Float32Array }> {
  const random = normalSource(seed);
  const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const [name, shape] of expectedTensors(architecture, config)) {
    const length = shape.reduce((a, b) => a * b, 1);
    const scale = name.endsWith("freqs") ? 2 * Math.PI : name.endsWith("phases") ? 3 : 0.3 + Math.abs(random());
    const offset = name.includes("additional") ? 0.5 : name.endsWith("gain") ? 0.7 : 0;
    tensors.set(name, { shape, data: Float32Array.from({ length }, () => offset + scale * random()) });
  }
  return tensors;
}

let worst = 0;
let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  console.info(`worst error of F: ${worst.toExponential(1)}`);
  gpu.close();
});

describe("the float64 reference of these tests", () => {
  for (const file of ["edm2-tiny.clip.case", "ncvsd-tiny.model.case"]) {
    it(`agrees with the recording ${file}`, async () => {
      const r = await Recording.open(`${file}.safetensors`);
      const ncvsd = file.startsWith("ncvsd");
      const weights = await Recording.open(ncvsd ? "ncvsd-tiny.safetensors" : "edm2-tiny.safetensors");
      const config = {
        ...DEFAULTS,
        ...weights.meta<object>("config"),
        ...(ncvsd ? {} : { clip_act: 1.5 }),
      } as Partial<NcvsdConfig> as NcvsdConfig;
      const values = new Map<string, Float32Array>();
      for (const name of weights.names) values.set(name, await weights.values(name));
      const w = (name: string) => values.get(name)!;
      const size = 3 * 16 * 16;
      const row = async (name: string, n = size) => (await r.values(name)).subarray(n, 2 * n);
      const labels = await row("class_labels", 10);
      const sigma = (await r.values("sigma"))[1]!;
      const x = await row("x");
      const { d } = ncvsd
        ? referenceNcvsd(config, w, x, sigma, await row("cond_x"), (await r.values("cond_sigma"))[1]!, labels)
        : referenceTeacher(config, w, x, sigma, labels);
      expect(relativeError(d, (await r.truth("D_x")).subarray(size, 2 * size))).toBeLessThanOrEqual(1e-7);
    });
  }
});

for (const architecture of ["edm2", "ncvsd"] as const) {
  describe(`${architecture} against float64`, () => {
    for (const [i, [name, changes]] of CONFIGS.entries()) {
      it(name, async () => {
        const config: NcvsdConfig = { ...BASE, ...changes };
        const { gamma, init_sigma, ...teacher } = config;
        const tensors = randomWeights(architecture, config, 100 + i);
        const file = writeSafetensors(
          [...tensors].map(([tensor, { shape, data }]) => ({ name: tensor, dtype: "F32", shape, data })),
          { format: "pt", architecture, config: JSON.stringify(architecture === "ncvsd" ? config : teacher) },
        );
        const model = await loadModel(gpu, file);
        const random = normalSource(200 + i);
        const batch = 2;
        const size = config.img_channels * config.img_resolution ** 2;
        const noise = (length: number) => Float32Array.from({ length }, random);
        const x = noise(batch * size);
        const condX = noise(batch * size);
        const sigma = [0.03, 5];
        const condSigma = [0.02, 3.5];
        const labels = noise(batch * config.label_dim);
        const cond = architecture === "ncvsd" ? { condX, condSigma } : {};
        const { denoised, captured } = await model.evaluate(
          { x, sigma, ...cond, ...(config.label_dim ? { labels } : {}) },
          ["F_x"],
        );
        const w = (tensor: string) => tensors.get(tensor)!.data;
        const rows = [0, 1].map((n) => {
          const part = (values: Float32Array, length: number) => values.subarray(n * length, (n + 1) * length);
          const label = part(labels, config.label_dim);
          const s = Math.fround(sigma[n]!);
          return architecture === "ncvsd"
            ? referenceNcvsd(config, w, part(x, size), s, part(condX, size), Math.fround(condSigma[n]!), label)
            : referenceTeacher(config, w, part(x, size), s, label);
        });
        const f = relativeError(
          captured.get("F_x")!.values,
          rows.flatMap((row) => [...row.f]),
        );
        worst = Math.max(worst, f);
        expect(f, "F").toBeLessThanOrEqual(TOLERANCE);
        expect(
          relativeError(
            denoised,
            rows.flatMap((row) => [...row.d]),
          ),
          "D",
        ).toBeLessThanOrEqual(TOLERANCE);
        await model.close();
      });
    }
  });
}
