import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { conv } from "../../kernels/network/conv/kernel.js";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import type { Precision } from "../../src/gpu/contract.js";
import { gpuProfile } from "../../src/gpu/profiles.js";
import { Graph } from "../../src/graph/graph.js";
import { profilePlan } from "../../src/measure/profile.js";
import { buildNetwork } from "../../src/networks/edm2/network.js";
import { networkPreset } from "../../src/networks/edm2/presets.js";
import { cli, cliOk, cliRefused, scratch } from "../support/cli.js";
import { weightsPath } from "../support/fixtures.js";
import { randomVae, SMALL_VAE } from "../support/random-vae.js";
import { drawDinov2 } from "../support/reference-features.js";

const counts = (preset: string, batch: number, name = "gpu", precision: Precision = "f32") => {
  const { architecture, config } = networkPreset(preset);
  const profile = gpuProfile(name);
  const { graph } = buildNetwork(architecture, config, batch, {
    bindingBytes: profile.bindingBytes,
    rates: profile.rates,
  });
  return profilePlan(graph, profile, precision);
};

/** What has been reached, as on a GPU of 132 multiprocessors: the most that a change may make of it. */
const REACHED: readonly (readonly [
  preset: string,
  batch: number,
  most: { nodes: number; underfilled: number; padding: number },
])[] = [
  ["small-unet", 1, { nodes: 145, underfilled: 87, padding: 1.01 }],
  ["small-unet", 16, { nodes: 145, underfilled: 4, padding: 1.01 }],
  ["ncvsd-img512-xs", 1, { nodes: 330, underfilled: 77, padding: 1.01 }],
  ["ncvsd-img512-xs", 8, { nodes: 330, underfilled: 3, padding: 1.01 }],
];

describe("a plan as on a GPU", () => {
  for (const [preset, batch, most] of REACHED) {
    it(`${preset} at batch ${batch}`, async () => {
      const { total, kernels, nodes } = await counts(preset, batch);
      for (const [count, limit] of Object.entries(most))
        expect(total[count as keyof typeof most], count).toBeLessThanOrEqual(limit);
      expect(total.guardedLoops, "guarded loops").toBe(0);
      expect(nodes).toHaveLength(total.nodes);
      expect(kernels.reduce((sum, k) => sum + k.nodes, 0)).toBe(total.nodes);
      expect(kernels.reduce((sum, k) => sum + k.underfilled, 0)).toBe(total.underfilled);
      expect(kernels.reduce((sum, k) => sum + k.guardedLoops, 0)).toBe(total.guardedLoops);
    });
  }

  it("counts the products of tiles that are not full, workgroups and invocations", async () => {
    const graph = new Graph();
    const params = { batch: 1, inChannels: 3, outChannels: 9, height: 5, width: 6, kernel: 3 as const };
    const inputs = {
      x: graph.external("x", [1, 3, 5, 6], "act"),
      w: graph.external("w", [16 * 27], "weight"),
    };
    graph.run("one", conv, { ...params, epilogue: { kind: "none" } }, inputs, { y: [1, 9, 5, 6] });
    const { total, nodes } = await profilePlan(graph, gpuProfile("mobile"), "f32");
    // 9 channels in two groups of 8, rows of 6 in two quads.
    expect(nodes).toEqual([{ workgroups: 1, invocations: 64, padding: (16 * 8) / (9 * 6) }]);
    expect(total).toMatchObject({ name: "mobile", nodes: 1, underfilled: 1, padding: (16 * 8) / (9 * 6) });
  });
});

describe("inspect --plan --as", () => {
  const place = scratch();
  it("tells the counts, of a preset and by kernel", async () => {
    const args = ["inspect", "--preset", "small-unet", "--plan", "--as", "gpu"];
    const facts = JSON.parse((await cliOk([...args, "--json"])).stdout);
    expect(facts.profile).toEqual((await counts("small-unet", 1)).total);
    expect(facts.plan).toHaveLength(facts.nodes);
    expect(facts.plan[0].workgroups).toBeGreaterThan(0);
    const { stdout } = await cliOk([...args, "--batch", "2", "--precision", "f16"]);
    expect(stdout).toMatch(/^as on gpu: .*\n {2}multiprocessors +132,/m);
    expect(stdout).toMatch(/^ {2}guarded loops +\d+$/m);
  });

  it("counts a VAE's decoder and feature networks, and refuses what is none", async () => {
    const store = (name: string, bytes: Uint8Array) => {
      writeFileSync(place(name), bytes);
      return place(name);
    };
    const dinov2 = drawDinov2(1, { width: 64, blocks: 2, hidden: 96, heads: 1, gated: false, registers: 0, grid: 4 });
    const tensors = [...dinov2].map(([name, { shape, data }]) => ({ name, dtype: "F32" as const, shape, data }));
    const files = {
      "the decoder of an AutoencoderKL": store("vae.safetensors", randomVae(SMALL_VAE).file),
      "dinov2-vit64x2-14": store("dinov2.safetensors", writeSafetensors(tensors)),
      "fashion32-features": weightsPath("fashion32-features.safetensors"),
    };
    for (const [architecture, file] of Object.entries(files)) {
      const { stdout } = await cliOk(["inspect", file, "--plan", "--as", "gpu", "--json"]);
      const facts = JSON.parse(stdout);
      expect(facts).toMatchObject({ architecture, profile: { name: "gpu", nodes: facts.nodes, guardedLoops: 0 } });
      expect(facts.plan).toHaveLength(facts.nodes);
      expect(facts.nodes).toBeGreaterThan(5);
    }
    const vae = files["the decoder of an AutoencoderKL"];
    expect((await cliRefused(["inspect", vae, "--batch", "2"])).stderr).toMatch(/decodes one latent at a time/);
    const none = store("none.safetensors", writeSafetensors([{ ...tensors[0]!, name: "a" }]));
    const refused = await cli(["inspect", none, "--plan", "--as", "gpu"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/none\.safetensors/);
  });

  it("wants the plan, and a profile that there is", async () => {
    expect((await cliRefused(["inspect", "--as", "gpu"])).stderr).toMatch(/--as counts nodes of the plan/);
    const { stderr } = await cliRefused(["inspect", "--plan", "--as", "toaster"]);
    expect(stderr).toMatch(/there is no profile "toaster": there are gpu, apple, intel, mobile/);
  });
});
