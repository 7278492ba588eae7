import { describe, expect, it } from "vitest";
import { type ConvShape, convAlgorithm, convChoices, convKey } from "../../src/layers/conv-algorithm.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { buildNetwork } from "../../src/networks/edm2/network.js";
import { networkPreset } from "../../src/networks/edm2/presets.js";
import { fixturePath, Recording, relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

const LARGE: ConvShape = { inChannels: 192, outChannels: 384, height: 64, width: 32, kernel: 3 };
const TINY: ConvShape = { inChannels: 8, outChannels: 8, height: 2, width: 2, kernel: 3 };
const ODD: ConvShape = { inChannels: 8, outChannels: 8, height: 3, width: 5, kernel: 1 };

describe("choices of a tuner", () => {
  it("a layer's name tells its shape", () => {
    expect(convKey(LARGE)).toBe("conv 3x3 192>384 @64x32");
    expect(convKey(ODD)).toBe("conv 1x1 8>8 @3x5");
  });

  it("the cost model's choice comes first, then what else can do the layer", () => {
    expect(convChoices(LARGE)).toEqual(["winograd", "direct"]);
    expect(convChoices(TINY)).toEqual(["direct", "winograd"]);
    expect(convChoices({ ...LARGE, kernel: 1 })).toEqual(["gemm", "direct"]);
    expect(convChoices(ODD)).toEqual(["direct"]);
  });

  it("a choice is followed where it fits the layer and left alone where it does not", () => {
    const tuned = (shape: ConvShape, value: string) => convAlgorithm(shape, new Map([[convKey(shape), value]]));
    expect(tuned(LARGE, "direct")).toBe("direct");
    expect(tuned(TINY, "winograd")).toBe("winograd");
    expect(tuned(ODD, "gemm")).toBe("direct");
    expect(tuned(LARGE, "gemm")).toBe("winograd");
    expect(tuned(LARGE, "nonsense")).toBe("winograd");
    expect(convAlgorithm(LARGE, new Map([[convKey(TINY), "direct"]]))).toBe("winograd");
  });

  it("the network's graph follows", () => {
    const { architecture, config } = networkPreset("edm2-img64-xs");
    const small = { ...config, model_channels: 16, img_resolution: 16, label_dim: 0 };
    const kernelsOf = (tuning?: ReadonlyMap<string, string>) =>
      buildNetwork(architecture, small, 1, { tuning }).graph.nodes.map((node) => [node.name, node.kernel.name]);
    const shape: ConvShape = { inChannels: 16, outChannels: 16, height: 16, width: 16, kernel: 3 };
    expect(kernelsOf().filter(([name]) => name === "enc.16x16_block0.conv_res0")).toEqual([
      ["enc.16x16_block0.conv_res0", "winograd-output"],
    ]);
    const tuned = kernelsOf(new Map([[convKey(shape), "direct"]]));
    expect(tuned).toContainEqual(["enc.16x16_block0.conv_res0", "conv"]);
  });

  it("a tuned network gives the recorded values", async () => {
    const r = await Recording.open("edm2-tiny.case.safetensors");
    const input = { x: await r.values("x"), sigma: await r.values("sigma"), labels: await r.values("class_labels") };
    const gpu = await openTestGpu();
    // Everything that is not the cost model's own choice.
    const tuning = { get: (key: string) => (key.startsWith("conv ") ? "direct" : undefined) };
    Object.assign(gpu.caps, { tuning });
    const model = await loadModel(gpu, fixturePath("edm2-tiny.safetensors"));
    const kernels = model.planFor(1).network.graph.nodes.map((node) => node.kernel.name);
    expect(kernels).toContain("conv");
    expect(kernels).not.toContain("gemm");
    const { denoised } = await model.evaluate(input);
    expect(relativeError(denoised, await r.truth("D_x"))).toBeLessThanOrEqual(2e-5);
    await model.close();
    gpu.close();
  });
});
