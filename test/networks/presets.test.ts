import { describe, expect, it } from "vitest";
import { tensorBytes } from "../../src/graph/graph.js";
import { planMemory, replan, verifyPlan } from "../../src/graph/plan.js";
import { fitOf } from "../../src/measure/fit.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { expectedTensors } from "../../src/networks/edm2/names.js";
import { buildNetwork } from "../../src/networks/edm2/network.js";
import {
  multiplyAdds,
  networkPreset,
  networkPresets,
  PRESET_NAMES,
  parameterCount,
} from "../../src/networks/edm2/presets.js";
import { adapter, cliOk, cliRefused } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

/** GMAC of one evaluation at 64x64, as published for the teacher, and with NCVSD's second encoder. */
const GMAC = {
  xs: [45, 57],
  s: [101, 127],
  m: [179, 226],
  l: [279, 353],
  xl: [402, 508],
  xxl: [547, 691],
} as const;
/** Millions of parameters of EDM2 (table 2 of the paper). */
const PARAMETERS = { xs: 125, s: 280, m: 498, l: 777, xl: 1119, xxl: 1523 } as const;

describe("presets", () => {
  for (const [size, [teacher, student]] of Object.entries(GMAC)) {
    for (const data of ["img64", "img512"]) {
      it(`${data}-${size} costs what is published`, () => {
        const edm2 = networkPreset(`edm2-${data}-${size}`);
        const ncvsd = networkPreset(`ncvsd-${data}-${size}`);
        const gmac = ({ architecture, config }: typeof edm2) => Math.round(multiplyAdds(architecture, config) / 1e9);
        expect(gmac(edm2)).toBe(teacher);
        expect(gmac(ncvsd)).toBe(student);
        const millions = Math.round(parameterCount(edm2.architecture, edm2.config) / 1e6);
        expect(millions).toBe(PARAMETERS[size as keyof typeof PARAMETERS]);
      });
    }
  }

  it("the count of multiply-adds is that of the graph with direct convolutions", () => {
    // Where a kernel counts its products (convolutions, linear layers), its FLOPs are twice them; Winograd's are fewer.
    const { architecture, config } = networkPreset("edm2-img64-xs");
    const small = { ...config, model_channels: 64, img_resolution: 8, attn_resolutions: [], label_dim: 3 };
    const { graph } = buildNetwork(architecture, small, 1);
    const exact = graph.nodes
      .filter(({ kernel }) => ["linear", "conv"].includes(kernel.name))
      .reduce((sum, { kernel, params }) => sum + kernel.cost(params as never, 4, 4).flops / 2, 0);
    expect(exact).toBeGreaterThan(0);
    expect(multiplyAdds(architecture, small)).toBeGreaterThan(exact);
  });

  it("every preset is a config that the parser accepts", () => {
    for (const { name, architecture, config } of networkPresets) {
      const tensors = new Map(
        [...expectedTensors(architecture, config)].map(([tensor, shape]) => [
          tensor,
          { name: tensor, dtype: "F16", shape, byteLength: 0, file: name },
        ]),
      );
      const parsed = parseConfig({ name, tensors, metadata: { architecture, config: JSON.stringify(config) } });
      expect(parsed.config).toEqual(config);
    }
  });

  it("the plan of the largest holds in every precision; f16 halves the weights, f16-weights only them", () => {
    for (const name of ["edm2-img512-xxl", "ncvsd-ffhq256-xs"]) {
      const { architecture, config } = networkPreset(name);
      const { graph } = buildNetwork(architecture, config, 1);
      const [full, half, weights] = (["f32", "f16", "f16-weights"] as const).map((precision) => {
        const plan = planMemory(graph, precision);
        verifyPlan(graph, plan);
        return plan;
      });
      expect(half!.constantBytes / full!.constantBytes).toBeCloseTo(0.5, 3);
      expect(weights!.constantBytes).toBe(half!.constantBytes);
      expect(half!.activationBytes).toBeLessThan(full!.activationBytes);
      expect(weights!.activationBytes).toBe(full!.activationBytes);
      expect(replan(graph, full!, "f16-weights")).toEqual(weights);
    }
  });

  it("whether it fits is what the limits say", () => {
    const { architecture, config } = networkPreset("edm2-img64-xs");
    const { graph } = buildNetwork(architecture, config, 1);
    const plan = planMemory(graph, "f32");
    const largest = Math.max(...graph.tensors.map((tensor) => tensorBytes(tensor, "f32")));
    const peak = plan.constantBytes + plan.activationBytes + plan.externalBytes;
    const limits = { adapter: "one", software: false, half: false, bufferBytes: 2 ** 32 };
    const verdict = (one: number, memoryBytes: number | null) =>
      fitOf(graph, plan, { ...limits, tensorBytes: one, memoryBytes });
    expect(verdict(largest, peak)).toEqual({ fits: true, reasons: [] });
    expect(verdict(largest, null).fits).toBe(true);
    expect(verdict(largest - 1, peak).reasons).toEqual([expect.stringMatching(/over the .* of one binding/)]);
    expect(verdict(largest, peak - 1).reasons).toEqual([expect.stringMatching(/of memory/)]);
  });
});

describe("inspect --preset", () => {
  const none = { VK_ICD_FILENAMES: "/nonexistent", VK_DRIVER_FILES: "/nonexistent" };

  it("prints parameters, multiply-adds, both memory plans and the verdict, without a file", async () => {
    const { stdout } = await cliOk(["inspect", "--preset", "edm2-img512-xxl"]);
    expect(stdout).toMatch(/^preset +edm2-img512-xxl$/m);
    expect(stdout).toMatch(/^parameters +1,523,165,925$/m);
    expect(stdout).toMatch(/^ +multiply-adds +546\.9\d* G/m);
    expect(stdout).toMatch(/^memory in f32$/m);
    expect(stdout).toMatch(/^memory in f16-weights$/m);
    const plans = stdout.match(/^memory in f16$/m) ? 3 : 2;
    expect(plans).toBe(/^adapter .* with f16:/m.test(stdout) ? 3 : 2);
    expect(stdout.match(/^ +largest tensor /gm)).toHaveLength(plans);
    expect(stdout.match(/^ +fits this adapter +(yes|no: .*)$/gm)).toHaveLength(plans);
  });

  it("works without a GPU, in JSON too", async () => {
    const env = { ...none, XDG_CACHE_HOME: "/nonexistent" };
    const { stdout } = await cliOk(["inspect", "--preset", "ncvsd-img64-xs", "--json"], { env });
    const facts = JSON.parse(stdout);
    expect(facts).toMatchObject({ preset: "ncvsd-img64-xs", architecture: "ncvsd", precision: "f32" });
    expect(Math.round(facts.multiplyAdds / 1e9)).toBe(57);
    expect(Object.keys(facts.memory)).toEqual(["f32", "f16", "f16-weights"]);
    expect(facts.memory.f32.weightBytes).toBe(facts.weightBytes);
    expect(facts.memory.f16.weightBytes).toBe(facts.memory["f16-weights"].weightBytes);
    expect(facts.memory.f16.weightBytes / facts.weightBytes).toBeCloseTo(0.5, 3);
  });

  it("--precision auto is what the adapter would use; f16 without an adapter is what was asked for", async () => {
    const facts = async (args: readonly string[], env = {}) =>
      JSON.parse((await cliOk(["inspect", ...args, "--json"], { env })).stdout);
    const tiny = fixturePath("edm2-tiny.safetensors");
    const auto = await facts([tiny, "--precision", "auto", ...adapter]);
    expect(auto.precision).toBe(auto.limits.software ? "f32" : auto.limits.half ? "f16" : "f16-weights");
    const nowhere = { ...none, XDG_CACHE_HOME: "/nonexistent" };
    expect(await facts([tiny, "--precision", "auto"], nowhere)).toMatchObject({ precision: "f32", fits: null });
    expect((await facts([tiny, "--precision", "f16"], nowhere)).precision).toBe("f16");
  });

  it.runIf(process.env.NCVSD_NO_SWIFTSHADER === undefined)(
    "an adapter without f16 is planned with f16 weights",
    async () => {
      const args = ["inspect", "--preset", "edm2-img64-xs", "--precision", "f16", "--adapter", "SwiftShader"];
      const { stdout } = await cliOk(args);
      expect(stdout).toMatch(/^evaluation at batch 1, f16-weights$/m);
      expect([...stdout.matchAll(/^memory in (.*)$/gm)].map((match) => match[1])).toEqual(["f16-weights", "f32"]);
      expect(stdout).not.toContain("shader-f16");
    },
  );

  it("an unknown name lists those that there are; a file beside it is refused", async () => {
    const unknown = await cliRefused(["inspect", "--preset", "edm2-img64-xxs"]);
    expect(unknown.stderr).toContain(PRESET_NAMES);
    const both = await cliRefused(["inspect", "model.safetensors", "--preset", "edm2-img64-xs"]);
    expect(both.stderr).toMatch(/^ncvsd-gpu: --preset stands for a file/);
  });
});
