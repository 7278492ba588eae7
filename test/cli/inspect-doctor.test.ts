import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { kernels } from "../../kernels/index.js";
import { type Gpu, mib } from "../../src/gpu/device.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { adapter, CLI, cliOk, cliRefused, run } from "../support/cli.js";
import { withTestGpu } from "../support/gpu.js";
import { fixturePath, weightsPath } from "../support/safetensors-fixture.js";

const TINY = fixturePath("ncvsd-tiny.safetensors");
const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

describe("inspect", () => {
  it("tells of the bundled checkpoint what its model card does", async () => {
    const { stdout, stderr } = await cliOk(["inspect"]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^file +.*weights\/ncvsd-fashion32\.safetensors$/m);
    expect(stdout).toMatch(/^sha256 +6437587cd1bbce992ed61804f9313b70c7d78f4724b0e3d3113f7bbf47f5c29c$/m);
    expect(stdout).toMatch(/^architecture +ncvsd$/m);
    expect(stdout).toMatch(/^labels +T-shirt\/top, Trouser,/m);
    expect(stdout).toMatch(/^ +model_channels +32$/m);
    expect(stdout).toMatch(/^ +channel_mult +\[1,1,2\]$/m);
    expect(stdout).toMatch(/^evaluation at batch 1, f32$/m);
    // 1,031,612 trained parameters (weights/README.md) and the 7 x 64 constants of the Fourier embeddings.
    const parameters = Number(/^parameters +([\d,]+) in/m.exec(stdout)![1]!.replaceAll(",", ""));
    expect(parameters).toBeGreaterThanOrEqual(1_031_612);
    expect(parameters).toBeLessThan(1_031_612 + 1000);
  });

  it("--json is one object whose figures are those of the plan that the engine runs", async () => {
    for (const batch of [1, 5]) {
      const { stdout } = await cliOk(["inspect", TINY, "--json", "--batch", String(batch)]);
      expect(stdout.trimEnd()).not.toContain("\n");
      const facts = JSON.parse(stdout);
      const model = await loadModel(gpu, TINY);
      const { plan, network } = model.planFor(batch);
      expect(facts).toMatchObject({
        file: TINY,
        architecture: "ncvsd",
        config: model.config,
        tensors: model.checkpoint.tensors.size,
        sha256: await model.checkpoint.sha256(),
        batch,
        precision: "f32",
        nodes: network.graph.nodes.length,
        flops: plan.flops,
        bytesMoved: plan.traffic,
        peakBytes: plan.constantBytes + plan.activationBytes + plan.externalBytes,
      });
      expect(facts.plan).toBeUndefined();
      const counts = Object.values(facts.dtypes as Record<string, number>);
      expect(counts.reduce((a, b) => a + b, 0)).toBe(facts.parameters);
      await model.close();
    }
  });

  it("--plan lists every node, f16 takes less memory", async () => {
    const { stdout } = await cliOk(["inspect", TINY, "--plan", "--json"]);
    const facts = JSON.parse(stdout);
    expect(facts.plan).toHaveLength(facts.nodes);
    const flops = facts.plan.reduce((sum: number, node: { flops: number }) => sum + node.flops, 0);
    expect(flops).toBeCloseTo(facts.flops, 0);
    const text = (await cliOk(["inspect", TINY, "--plan"])).stdout;
    for (const { name } of facts.plan) expect(text).toContain(`\n${name} `);
    const half = JSON.parse((await cliOk(["inspect", TINY, "--json", "--precision", "f16"])).stdout);
    expect(half.precision).toBe("f16");
    expect(half.activationBytes).toBeLessThan(facts.activationBytes);
    expect(half.weightBytes).toBeLessThan(facts.weightBytes);
  });

  it("reads the teacher and an unconditional network", async () => {
    const teacher = JSON.parse((await cliOk(["inspect", weightsPath("edm2-fashion32.safetensors"), "--json"])).stdout);
    expect(teacher).toMatchObject({ architecture: "edm2", labels: expect.arrayContaining(["Sneaker"]) });
    const uncond = JSON.parse((await cliOk(["inspect", fixturePath("edm2-tiny-uncond.safetensors"), "--json"])).stdout);
    expect(uncond).toMatchObject({ architecture: "edm2", labels: null, config: { label_dim: 0 } });
  });

  it("a batch that no kernel can index: exit 2, one sentence", async () => {
    const { stderr } = await cliRefused(["inspect", "--batch", "65536"]);
    expect(stderr).toMatch(/^ncvsd-gpu: --batch 65536 is too large for this network \(.*\)\.\n$/);
  });
});

describe("doctor", () => {
  it("says which adapter was found and what it can do, in 80 columns", async () => {
    const { stdout, stderr } = await cliOk(["doctor", ...adapter]);
    expect(stderr).toBe("");
    expect(stdout).toContain(`adapter     ${gpu.info.name}`);
    expect(stdout).toContain(`driver      ${gpu.info.driver}`);
    expect(stdout).toMatch(new RegExp(`^f16 +${gpu.features.includes("shader-f16") ? "yes" : "no"}$`, "m"));
    expect(stdout).toContain(`${mib(gpu.device.limits.maxStorageBufferBindingSize)} in one binding`);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("--json", async () => {
    const facts = JSON.parse((await cliOk(["doctor", ...adapter, "--json"])).stdout);
    expect(facts).toMatchObject({
      version: manifest.version,
      adapter: gpu.info,
      features: gpu.features,
      installed: null,
    });
    expect(facts.limits.maxBufferSize).toBe(gpu.device.limits.maxBufferSize);
    expect(facts.checks).toBeUndefined();
  });

  it("--check runs every kernel against its float64 reference", async () => {
    const facts = JSON.parse((await cliOk(["doctor", ...adapter, "--check", "--json"])).stdout);
    expect(facts.checks.map((check: { kernel: string }) => check.kernel)).toEqual(kernels.map((kernel) => kernel.name));
    for (const { kernel, cases, error, tolerance, ok } of facts.checks) {
      expect({ kernel, ok }).toEqual({ kernel, ok: true });
      expect(cases).toBeGreaterThan(0);
      expect(error).toBeLessThanOrEqual(tolerance);
    }
  });
});

describe("help", () => {
  it("of the program lists the commands; of each command shows examples; on stdout, in 80 columns, exit 0", async () => {
    const top = await cliOk(["--help"]);
    const commandsIn = (help: string) => {
      const at = help.indexOf("\nCommands:");
      const names = at < 0 ? [] : [...help.slice(at).matchAll(/^ {2}([a-z]\w*) /gm)].map((match) => match[1]!);
      return names.filter((name) => name !== "help");
    };
    const commands = commandsIn(top.stdout);
    for (const name of ["sample", "convert", "inspect", "doctor"]) expect(commands).toContain(name);
    const check = async (words: string[]): Promise<void> => {
      const { stdout, stderr } = await cliOk([...words, "--help"]);
      expect(stderr).toBe("");
      expect(stdout).toMatch(new RegExp(`^Usage: ncvsd-gpu ${words.join(" ")}`));
      const below = commandsIn(stdout);
      for (const name of below) await check([...words, name]);
      if (below.length > 0) return;
      expect(stdout).toMatch(new RegExp(`^Examples?:\\n +ncvsd-gpu ${words.join(" ")}`, "m"));
      expect(stdout).toContain("--verbose");
    };
    for (const name of commands) await check([name]);
    for (const line of top.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("--version is the package's; no command at all is a usage error that shows the help", async () => {
    expect((await cliOk(["--version"])).stdout).toBe(`${manifest.version}\n`);
    const { stderr } = await cliRefused([]);
    expect(stderr).toContain("Usage: ncvsd-gpu");
  });

  it("a reader that goes away early is no error", async () => {
    const command = `{ '${process.execPath}' '${CLI}' inspect --plan; echo "exit $?" >&2; } | true`;
    expect((await run("sh", ["-c", command])).stderr).toBe("exit 0\n");
  });
});
