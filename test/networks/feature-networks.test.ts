import { describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { loadFeatures } from "../../src/index.js";
import { INCEPTION_CONVS } from "../../src/networks/features/inception.js";
import { openFeatureNetwork } from "../../src/networks/features/load.js";
import { prepared } from "../../src/networks/features/preparation.js";
import {
  antialiasedBicubic,
  bilinear,
  plainBicubic,
  resizePlanes,
  tf1Bilinear,
} from "../../src/networks/features/resizing.js";
import { uniforms } from "../../src/random/uniforms.js";
import { relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";
import { call, dict, dump, instance, type Py } from "../support/pickle-asm.js";
import { contiguous, storageId, torchZip } from "../support/pickle-torch.js";
import { RawTensors } from "../support/raw-tensors.js";
import {
  dinov2Features,
  drawDinov2,
  drawInception,
  inceptionFeatures,
  type Vit,
  type Weights,
} from "../support/reference-features.js";

describe("resizing rules", () => {
  const recorded = new RawTensors("features/resize.safetensors");
  const rules = { tf1_bilinear: tf1Bilinear, bilinear, bicubic_antialias: antialiasedBicubic } as const;
  for (const name of ["c3", "c4"]) {
    it.each(Object.entries(rules))(`%s gives the recorded ${name}`, (rule, apply) => {
      const side = (of: string) => recorded.shapes.get(`${name}.${of}`)!.slice(2) as [number, number];
      const out = resizePlanes(recorded.values(`${name}.x`), side("x"), side(`${rule}.f64`), apply);
      expect(relativeError(out, recorded.values(`${name}.${rule}.f64`))).toBeLessThan(1e-13);
    });
  }

  it.each([
    ["factor_0.1", plainBicubic(0.1)],
    ["by_size", plainBicubic(0)],
    ["by_size_antialias", antialiasedBicubic],
  ] as const)("positions by %s are the recorded ones", (how, rule) => {
    const out = resizePlanes(recorded.values("p2.x"), [7, 7], [9, 4], rule);
    expect(relativeError(out, recorded.values(`p2.${how}`))).toBeLessThan(1e-13);
  });
});

const file = (weights: Weights, rename = (name: string) => name, metadata: Record<string, string> = {}) =>
  writeSafetensors(
    [...weights].map(([name, { shape, data }]) => ({ name: rename(name), dtype: "F32", shape, data })),
    metadata,
  );

function picture(seed: number, shape: readonly number[]): Uint8Array {
  const random = uniforms(seed, 1);
  return Uint8Array.from({ length: shape.reduce((p, n) => p * n, 1) }, () => 256 * random());
}

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

describe("Inception-v3 of FID", () => {
  const weights = drawInception(1);
  const shape = [3, 3, 40, 51] as const;
  const images = picture(2, shape);
  const one = images.length / 3;
  const want = (variant: "nvidia" | "pytorch-fid", n: number) =>
    inceptionFeatures(
      weights,
      prepared(images.subarray(n * one, (n + 1) * one), [3, 40, 51], { size: [299, 299], rule: variant }),
    );

  it.each(["nvidia", "pytorch-fid"] as const)("has the features of variant %s, whatever the batch", async (variant) => {
    const network = await loadFeatures(gpu, new Blob([file(weights)]), { variant });
    expect(network).toMatchObject({ name: "inception-v3-fid", dims: 128, variant });
    const features = await network.features({ images, shape });
    expect(relativeError(features.subarray(128, 256), want(variant, 1))).toBeLessThan(5e-6);
    const alone = await network.features({ images: images.subarray(one, 2 * one), shape: [1, 3, 40, 51] });
    expect(alone).toEqual(features.slice(128, 256));
    await network.close();
    await expect(network.features({ images, shape })).rejects.toThrow("is closed");
  });

  it("is the same network by NVIDIA's names and in TorchScript, also by its hash", async () => {
    // NVIDIA's file has no factors in its batch normalisation.
    const plain: Weights = new Map([...weights].map(([name, w]) => [name, { ...w }]));
    for (const [name, w] of plain) if (name.endsWith(".bn.weight")) w.data = new Float32Array(w.data.length).fill(1);
    const parts = { "conv.weight": "weight", "bn.bias": "beta", "bn.running_mean": "mean", "bn.running_var": "var" };
    const nvidia: Weights = new Map();
    for (const conv of INCEPTION_CONVS)
      for (const [from, to] of Object.entries(parts))
        nvidia.set(`layers.${conv.nvidia}.${to}`, plain.get(`${conv.name}.${from}`)!);
    const results = [];
    for (const bytes of [file(plain), file(nvidia), torchScript(nvidia)]) {
      const network = await loadFeatures(gpu, new Blob([bytes as BlobPart]));
      const features = await network.features({ images: images.subarray(0, one), shape: [1, 3, 40, 51] });
      results.push({ hash: network.sha256, features });
      await network.close();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    const other = await loadFeatures(gpu, new Blob([file(weights)]));
    expect(other.sha256).not.toBe(results[0]!.hash);
    await other.close();
  });

  it.each<[string, (w: Weights) => void, string]>([
    [
      "torchvision's classifier",
      (w) => w.set("fc.weight", { shape: [1000, 1], data: new Float32Array(1000) }),
      "torchvision's classifier",
    ],
    [
      "a missing tensor",
      (w) => w.delete("Mixed_6c.branch7x7_2.bn.running_var"),
      "Mixed_6c.branch7x7_2.bn.running_var is missing",
    ],
    [
      "a transposed kernel",
      (w) => {
        const kernel = w.get("Mixed_6b.branch7x7_2.conv.weight")!;
        w.set("Mixed_6b.branch7x7_2.conv.weight", { ...kernel, shape: [8, 8, 7, 1] });
      },
      "[8, 8, 7, 1] where [8, 8, 1, 7]",
    ],
  ])("refuses %s", async (_, change, message) => {
    const changed = new Map(weights);
    change(changed);
    await expect(loadFeatures(gpu, new Blob([file(changed)]))).rejects.toThrow(message);
  });

  it("says what pictures and variants it takes", async () => {
    const blob = new Blob([file(weights)]);
    await expect(loadFeatures(gpu, blob, { variant: "clean" })).rejects.toThrow("there is nvidia, pytorch-fid");
    const network = await loadFeatures(gpu, blob);
    await expect(network.features({ images, shape: [1, 2, 8, 8] })).rejects.toThrow("3 channels");
    await expect(network.features({ images, shape: [1, 3, 8, 8] })).rejects.toThrow("which have 192");
    // Grey is repeated, a fourth channel dropped.
    const grey = images.subarray(0, 64);
    const [a, b] = [await network.features({ images: grey, shape: [1, 1, 8, 8] }), new Uint8Array(256)];
    for (let c = 0; c < 3; c++) b.set(grey, 64 * c);
    expect(await network.features({ images: b, shape: [1, 4, 8, 8] })).toEqual(a);
    await network.close();
  });
});

/** A TorchScript module as torch.jit.save writes it: nested objects with tensors as attributes. */
function torchScript(weights: Weights): Uint8Array {
  const storages: Record<string, Uint8Array> = {};
  interface Tree extends Map<string, Tree | Py> {}
  const root: Tree = new Map();
  for (const [i, [name, { shape, data }]] of [...weights].entries()) {
    storages[String(i)] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const path = name.split(".");
    let at = root;
    for (const key of path.slice(0, -1)) {
      if (!at.has(key)) at.set(key, new Map() as Tree);
      at = at.get(key) as Tree;
    }
    const id = storageId("F32", String(i), data.length);
    const size = (values: readonly number[]): Py => ({ tuple: [...values] });
    at.set(
      path.at(-1)!,
      call("torch._utils", "_rebuild_tensor_v2", id, 0, size(shape), size(contiguous(shape)), false, dict({})),
    );
  }
  const object = (tree: Tree): Py =>
    instance(
      "__torch__.___torch_mangle_0",
      "Module",
      dict(
        Object.fromEntries(
          [...tree].map(([key, value]) => [key, value instanceof Map ? object(value as Tree) : value]),
        ),
      ),
    );
  expect(dump(1)).toBeDefined();
  return torchZip(object(root), storages);
}

describe("DINOv2", () => {
  const vits: Record<string, Vit> = {
    plain: { width: 128, blocks: 2, heads: 2, hidden: 96, gated: false, registers: 0, grid: 5 },
    "with registers": { width: 48, blocks: 2, heads: 3, hidden: 64, gated: false, registers: 4, grid: 4 },
    gated: { width: 48, blocks: 1, heads: 3, hidden: 40, gated: true, registers: 0, grid: 3 },
  };
  it.each(Object.entries(vits))("%s: the class token agrees with float64", async (name, vit) => {
    const weights = drawDinov2(5, vit);
    const config = JSON.stringify({ num_heads: vit.heads });
    const network = await openFeatureNetwork(gpu, file(weights, undefined, { config }));
    expect(network.dims).toBe(vit.width);
    const [height, width] = [42, 70];
    const random = uniforms(6, 2);
    const x = Float32Array.from({ length: 2 * 3 * height * width }, () => 4 * random() - 2);
    const stored = weights.get("pos_embed")!.data;
    const positions = new Float64Array(16 * vit.width);
    positions.set(stored.subarray(0, vit.width));
    const planes = new Float64Array(vit.width * vit.grid ** 2);
    for (let p = 0; p < vit.grid ** 2; p++)
      for (let c = 0; c < vit.width; c++) planes[c * vit.grid ** 2 + p] = stored[(1 + p) * vit.width + c]!;
    const rule = vit.registers > 0 ? antialiasedBicubic : plainBicubic(0.1);
    const resized = resizePlanes(planes, [vit.grid, vit.grid], [3, 5], rule);
    for (let p = 0; p < 15; p++)
      for (let c = 0; c < vit.width; c++) positions[(1 + p) * vit.width + c] = resized[c * 15 + p]!;
    const got = await network.evaluate(x, 2, height, width);
    const second = dinov2Features(weights, vit, x.subarray(x.length / 2), [height, width], positions);
    expect(relativeError(got.subarray(vit.width), second)).toBeLessThan(5e-6);
    const pictures = picture(7, [1, 3, 20, 31]);
    expect(await network.features({ images: pictures, shape: [1, 3, 20, 31] })).toHaveLength(vit.width);
    await network.close();
    expect(name).toBeTruthy();
  });

  it("is the same network in Hugging Face's layout, also by its hash", async () => {
    const vit = vits.plain!;
    const weights = drawDinov2(5, vit);
    const faces: Weights = new Map();
    for (const [name, { shape, data }] of weights) {
      const renamed = name
        .replace(/^(cls_token|register_tokens)/, "embeddings.$1")
        .replace("pos_embed", "embeddings.position_embeddings")
        .replace("patch_embed.proj", "embeddings.patch_embeddings.projection")
        .replace(/^norm/, "layernorm")
        .replace(/^blocks/, "encoder.layer")
        .replace("attn.proj", "attention.output.dense")
        .replace(/ls(\d)\.gamma/, "layer_scale$1.lambda1");
      if (!name.includes("qkv")) faces.set(`dinov2.${renamed}`, { shape, data });
      else
        for (const [i, which] of ["query", "key", "value"].entries())
          faces.set(`dinov2.${renamed.replace("attn.qkv", `attention.attention.${which}`)}`, {
            shape: [shape[0]! / 3, ...shape.slice(1)],
            data: data.slice((i * data.length) / 3, ((i + 1) * data.length) / 3),
          });
    }
    const images = picture(8, [1, 3, 16, 16]);
    const results = [];
    for (const bytes of [
      file(weights),
      file(faces),
      file(weights, (name) => `teacher.backbone.${name.replace("blocks.", "blocks.0.")}`),
    ]) {
      const network = await loadFeatures(gpu, new Blob([bytes]));
      results.push({
        hash: network.sha256,
        name: network.name,
        features: await network.features({ images, shape: [1, 3, 16, 16] }),
      });
      await network.close();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it("is the same network as timm stores it with registers and SwiGLU", async () => {
    const vit: Vit = { width: 48, blocks: 1, heads: 3, hidden: 40, gated: true, registers: 4, grid: 3 };
    const weights = drawDinov2(9, vit);
    const timm: Weights = new Map();
    for (const [name, tensor] of weights)
      timm.set(name.replace("register_tokens", "reg_token").replace("w12", "fc1").replace("w3", "fc2"), tensor);
    const [own, positions] = [weights.get("cls_token")!, weights.get("pos_embed")!];
    timm.set("cls_token", { shape: own.shape, data: own.data.map((v, i) => v + positions.data[i]!) });
    timm.set("pos_embed", { shape: [1, vit.grid ** 2, vit.width], data: positions.data.slice(vit.width) });
    const images = picture(8, [1, 3, 16, 16]);
    const results = [];
    for (const tensors of [weights, timm]) {
      const network = await loadFeatures(gpu, new Blob([file(tensors, undefined, { config: '{"num_heads":3}' })]));
      expect(network.name).toBe("dinov2-vit48x1-14-reg4");
      results.push(await network.features({ images, shape: [1, 3, 16, 16] }));
      await network.close();
    }
    expect(relativeError(results[1]!, results[0]!)).toBeLessThan(1e-6);
    timm.set("pos_embed", { shape: [1, 7, vit.width], data: new Float32Array(7 * vit.width) });
    const broken = file(timm, undefined, { config: '{"num_heads":3}' });
    await expect(loadFeatures(gpu, new Blob([broken]))).rejects.toThrow("its 7 positions are not those of a square");
  });

  it("refuses vision transformers that are none, and heads that nothing tells", async () => {
    const weights = drawDinov2(5, vits.gated!);
    await expect(loadFeatures(gpu, new Blob([file(weights)]))).rejects.toThrow("how many heads");
    weights.delete("blocks.0.ls1.gamma");
    await expect(loadFeatures(gpu, new Blob([file(weights)]))).rejects.toThrow("no LayerScale");
    const other: Weights = new Map([["features.28.weight", { shape: [1], data: new Float32Array(1) }]]);
    await expect(loadFeatures(gpu, new Blob([file(other)]))).rejects.toThrow("LPIPS");
  });
});
