import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import { precondOut } from "../../kernels/network/precond-out/kernel.js";
import { samplePictures } from "../../src/cli/disco/sample-pictures.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import { Program } from "../../src/graph/program.js";
import { decodePng, encodePng } from "../../src/image/png.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { loadDiscoImages, TIMELESS_SIGMA } from "../../src/networks/edm2/timeless.js";
import { sampleHeun } from "../../src/sample/heun.js";
import { knownMask, posteriorImages } from "../../src/train/disco-images.js";
import { denoisingLoss } from "../../src/train/losses.js";
import { openTraining, type TrainingOptions } from "../../src/train/training.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

test("the posterior over the images of a batch, the loss and its gradient as recorded in float64", async () => {
  const file = await Recording.open("disco/image-loss.safetensors");
  const value = async (name: string) => file.values(name);
  const shape = [6, 3, 8, 8];
  const graph = new Graph();
  const external = (name: string, extents: readonly number[]) => graph.external(name, extents);
  const [x, images] = ["x", "images"].map((name) => external(name, shape)) as [Tensor, Tensor];
  const f = graph.external("f", shape, "act");
  const [level, smoothing, t, u] = ["level", "smoothing", "t", "u"].map((name) => external(name, [6])) as Tensors;
  const { weights } = posteriorImages(graph, { x, images, sigma: smoothing });
  const target = external("draws", shape);
  const sizes = { batch: 6, elements: 192 };
  const scaled = { batch: 6, channels: 3, pixels: 64, sigmaData: TIMELESS_SIGMA };
  const D = graph.run("D", precondOut, scaled, { x, f, sigma: level }, { d: shape }).d;
  const { loss, dD } = denoisingLoss(
    graph,
    "loss",
    { ...sizes, sigmaData: 0.5, factor: 1 / 6 },
    { D, x0: target, t, u },
  );
  for (const tensor of [loss, dD]) graph.kept.add(tensor);
  const program = await Program.create(gpu, { label: "loss", graph });
  const write = (tensor: { name: string }, values: Float32Array) =>
    gpu.write(program.buffer(graph.tensors.find(({ name }) => name === tensor.name)!), values);
  const data = await value("x");
  write(x, await value("xt"));
  write(images, data);
  // F is half of what the U-Net gives.
  write(
    f,
    (await value("F_x")).map((v) => 2 * v),
  );
  write(t, await value("sigma"));
  write(level, new Float32Array(6).fill(TIMELESS_SIGMA));
  write(smoothing, new Float32Array(6).fill(0.01));
  write(u, new Float32Array(6));
  const picks = await value("pick");
  write(
    target,
    Float32Array.from({ length: data.length }, (_, i) => data[picks[Math.floor(i / 192)]! * 192 + (i % 192)]!),
  );
  await program.run();
  const found = await gpu.readF32(program.buffer(weights), 36);
  // Differences of 1e-3 a pixel decide, at distances of 1: squares alone would be off by 0.01 in the weights.
  expect(relativeError(found, await file.truth("weights"))).toBeLessThan(2e-4);
  const uniform = await value("u");
  picks.forEach((pick, row) => {
    let sum = 0;
    const at = Array.from(found.subarray(6 * row, 6 * row + 6)).findIndex((w) => {
      sum += w;
      return sum > uniform[row]!;
    });
    expect(at).toBe(pick);
  });
  const total = (await program.readTensor(loss)).reduce((a, b) => a + b, 0) / 6;
  expect(Math.abs(total / (await file.truth("loss"))[0]! - 1)).toBeLessThan(2e-6);
  expect(relativeError(await program.readTensor(dD), await file.truth("grad_F_x"))).toBeLessThan(2e-6);
  program.destroy();
});

type Tensors = [Tensor, Tensor, Tensor, Tensor];

/** Grey pictures of 8x8: a bright half or a dark one. */
const picture = (position: number) =>
  Float32Array.from(normals(position, 0, 64), (z, i) => (i < 32 === position % 2 > 0 ? 0.8 : -0.8) + 0.02 * z);
const options: TrainingOptions = {
  config: {
    img_resolution: 8,
    img_channels: 1,
    model_channels: 16,
    channel_mult: [1, 1],
    num_blocks: 1,
    attn_resolutions: [],
  },
  ...{ batch: 8, batchGpu: 8, lr: { refLr: 0.02, rampupMimg: 0 }, emaStds: [0.1], seed: 5 },
  disco: { sigmaMin: 0.05, known: 0.5 },
  pMean: -0.3,
  pStd: 1,
  data: {
    async batch(positions) {
      return { images: Float32Array.from(positions.flatMap((position) => [...picture(position)])) };
    },
  },
};

test("a model learns two pictures' score, is sampled and inpainted, and goes on from its state to the same bits", async () => {
  const dir = mkdtempSync(join(tmpdir(), "disco-images-"));
  try {
    const training = await openTraining(gpu, options);
    const { recorded } = await training.step({ record: true });
    // New networks give 0: D is x/2, and the loss of what is learnt is known.
    expect(
      relativeError(
        recorded!.get("D")!,
        recorded!.get("x")!.map((v) => v / 2),
      ),
    ).toBeLessThan(1e-6);
    // What is learnt at one set of noisy images, later seen again.
    const images = Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [...picture(n)]));
    const noise = Float32Array.from(normals(99, 0, images.length));
    const fixed = { images, noise, rndNormal: [-1, -1, -1, -1, 0, 0, 0, 0] };
    const error = async () => {
      const { recorded } = await training.step({ rounds: [fixed], record: true });
      return relativeError(recorded!.get("D")!, recorded!.get("target")!);
    };
    const before = await error();
    await training.save(dir);
    const next = (await training.step()).losses[0]!;
    for (let i = 0; i < 50; i++) await training.step();
    const after = await error();
    expect(after).toBeLessThan(0.5 * before);
    const { bytes } = await training.snapshot(0.1);
    training.close();
    const again = await openTraining(gpu, { ...options, resume: dir });
    expect((await again.step()).losses[0]).toBe(next);
    again.close();
    await expect(openTraining(gpu, { ...options, resume: dir, disco: { sigmaMin: 0.05 } })).rejects.toThrow(
      "known 0.5",
    );

    await expect(loadModel(gpu, bytes)).rejects.toThrow("loadDiscoImages()");
    const model = await loadDiscoImages(gpu, bytes);
    expect([model.shape.join(), model.sigmaMin]).toEqual(["1,8,8", 0.05]);
    const run = { steps: 10, sigmaMax: 5, batch: 4 };
    const { images: made } = await sampleHeun(model, run);
    const likeness = (image: Float32Array) => {
      const mean = (from: number) => image.subarray(from, from + 32).reduce((a, b) => a + b) / 32;
      return [mean(0), mean(32)];
    };
    for (let n = 0; n < 4; n++) {
      const [top, bottom] = likeness(made.subarray(64 * n, 64 * n + 64));
      expect(top! * bottom!).toBeLessThan(-0.3);
    }
    // The top decides the bottom.
    const mask = Float32Array.from({ length: 64 }, (_, i) => Number(i < 32));
    const known = { image: picture(1), mask, as: "clean" } as const;
    const { images: filled } = await sampleHeun(model, { ...run, batch: 2, known });
    for (let n = 0; n < 2; n++) expect(likeness(filled.subarray(64 * n, 64 * n + 64))[1]).toBeLessThan(-0.4);
    const x = picture(1);
    const denoised = await model.denoise({ x });
    expect(
      relativeError(
        await model.score({ x }),
        denoised.map((d, i) => (d - x[i]!) / 0.05 ** 2),
      ),
    ).toBeLessThan(1e-6);
    await model.close();

    // `disco sample` draws a row for the given picture: itself, what is given of it, and what it was completed to.
    const [network, image, out] = ["model.safetensors", "given.png", "sheet.png"].map((name) => join(dir, name));
    writeFileSync(network!, bytes);
    const grey = Uint8Array.from(picture(1), (v) => 127.5 * (v + 1));
    writeFileSync(image!, encodePng({ width: 8, height: 8, channels: 1, data: grey }));
    const flags = { model: network!, image: image!, mask: "top", as: "clean", out: out!, seed: 0, steps: 4 } as const;
    await samplePictures(gpu, { ...flags, n: 2, json: true });
    const sheet = decodePng(readFileSync(out!));
    expect(sheet.text["ncvsd-gpu:sheet"]).toBeDefined();
    // Four pictures of 80 in a row, at twice their size.
    expect(sheet.width).toBeGreaterThan(2 * 4 * 80);
    expect(sheet.height).toBeLessThan(2 * 2 * 80);
    for (const n of [5000, 2 ** 22])
      await expect(samplePictures(gpu, { ...flags, n })).rejects.toThrow(`${n} pictures of 8x8 are too many`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 60_000);

test("masks: half of an image, scattered pixels, all but a rectangle", () => {
  const masks = Array.from({ length: 300 }, (_, key) => knownMask(key, 0.5, 8));
  const some = masks.filter((mask) => mask !== undefined);
  expect(some.length).toBeGreaterThan(110);
  expect(some.length).toBeLessThan(190);
  const shares = some.map((mask) => mask.reduce((a, b) => a + b) / 64);
  expect(shares.filter((share) => share === 0.5).length).toBeGreaterThan(20);
  expect(Math.min(...shares)).toBeLessThan(0.25);
  expect(Math.max(...shares)).toBeGreaterThan(0.75);
  expect(knownMask(7, 0, 8)).toBeUndefined();
});

test("bad settings", async () => {
  const refused = (more: object) => expect(openTraining(gpu, { ...options, ...more })).rejects;
  await refused({ disco: { sigmaMin: 0 } }).toThrow("disco.sigmaMin must be a positive number, got 0");
  await refused({ disco: { known: 2 } }).toThrow("disco.known must be a share from 0 to 1, got 2");
  await refused({ disco: { target: "median" } }).toThrow("disco.target must be draw or mean, got median");
  await refused({ config: { ...options.config, label_dim: 3 } }).toThrow("has label_dim 0, got 3 in config");
});
