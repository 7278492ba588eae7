import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openCheckpoint, writeSafetensors } from "../../src/checkpoint/index.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { validateTensors } from "../../src/networks/edm2/names.js";
import { fixturePath, rawFile, weightsPath } from "../support/safetensors-fixture.js";

/** A file with other names for its tensors. */
function renamed(file: string, rename: (name: string) => string): Uint8Array {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header: [string, unknown][] = Object.entries(JSON.parse(bytes.toString("utf8", 8, 8 + length)));
  const names = header.map(([name, info]) => [name === "__metadata__" ? name : rename(name), info]);
  return rawFile(JSON.stringify(Object.fromEntries(names)), bytes.subarray(8 + length));
}

describe("names with prefixes", () => {
  const file = fixturePath("edm2-tiny.safetensors");
  it.each<[string, (name: string) => string]>([
    ["torch.compile", (name) => `_orig_mod.${name}`],
    ["data parallel", (name) => `module.${name}`],
    ["both", (name) => `module._orig_mod.${name}`],
    ["a compiled part", (name) => name.replace(/^unet\./, "unet._orig_mod.")],
    ["a wrapper's attribute", (name) => `_orig_mod.model.module.${name}`],
  ])("%s: they load as the network's own", async (_what, rename) => {
    const checkpoint = await openCheckpoint(renamed(file, rename));
    const { architecture, config } = parseConfig(checkpoint);
    validateTensors(checkpoint, architecture, config);
    const plain = await openCheckpoint(file);
    expect([...checkpoint.tensors.keys()].sort()).toEqual([...plain.tensors.keys()].sort());
    const name = "unet.out_conv.weight";
    expect(await checkpoint.readF32(name)).toEqual(await plain.readF32(name));
    await plain.close();
  });

  it("a network among other tensors, and two networks, are refused with their prefixes", async () => {
    const own = (prefix: string) => ({
      name: `${prefix}unet.out_gain`,
      dtype: "F32",
      shape: [],
      data: new Float32Array(1),
    });
    const other = { ...own(""), name: "loss.weight" };
    const open = async (...tensors: ReturnType<typeof own>[]) =>
      parseConfig(await openCheckpoint(writeSafetensors(tensors)));
    await expect(open(own("net."), other)).rejects.toThrow(/tensors of its network begin with "net\."/);
    await expect(open(own("model."), own("ema_model."))).rejects.toThrow(/2 networks.*"model\.", "ema_model\."/);
  });
});

describe("weights of zeros", () => {
  const read = async (shape: number[], values: Float32Array, name = "w.weight") => {
    const checkpoint = await openCheckpoint(writeSafetensors([{ name, dtype: "F32", shape, data: values }]));
    return checkpoint.readF32(name, { weights: true });
  };
  const ones = (n: number, from = n, to = n) => new Float32Array(n).fill(1).fill(0, from, to);

  it.each<[string, number[], Float32Array, RegExp]>([
    ["all of a matrix", [8, 8], ones(64, 0), /tensor 'w\.weight' is all zeros/],
    ["the second half", [32, 64], ones(2048, 1000), /is zero from element 1000 to 2048 of 2048/],
    ["the first part", [32, 64], ones(2048, 0, 300), /zero from element 0 to 300/],
    ["a piece in the middle", [512, 512], ones(2 ** 18, 70_001, 90_001), /zero from element 70001 to 90001/],
    ["all of a long vector", [64], ones(64, 0), /all zeros/],
  ])("%s: refused by name", async (_what, shape, values, message) => {
    await expect(read(shape, values)).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringMatching(message),
    });
  });

  it("gains, biases, small tensors, and single zeros may be", async () => {
    await read([], ones(1, 0));
    await read([9], ones(9, 0));
    await read([512], ones(512, 0), "norm.bias");
    await read([512], ones(512, 100));
    await read([2, 2], ones(4, 0));
    await read([64, 32], ones(2048, 500, 700));
    await read(
      [64, 32],
      Float32Array.from({ length: 2048 }, (_, i) => (i % 3 === 0 ? 1 : 0)),
    );
  });

  it("every length of a run that is too long is found wherever it begins", async () => {
    for (let from = 0; from <= 4096 - 512; from += 37) {
      await expect(read([64, 64], ones(4096, from, from + 512))).rejects.toThrow(/is zero from/);
    }
  });

  it("no tensor of the bundled and recorded networks is taken for one", async () => {
    for (const file of [
      weightsPath("ncvsd-fashion32.safetensors"),
      weightsPath("edm2-fashion32.safetensors"),
      fixturePath("ncvsd-tiny.safetensors"),
    ]) {
      const checkpoint = await openCheckpoint(file);
      for (const name of checkpoint.tensors.keys()) await checkpoint.readF32(name, { weights: true });
      await checkpoint.close();
    }
  });
});

describe("metadata", () => {
  it("that are null, all of them or one, are absent", async () => {
    expect({ ...(await openCheckpoint(rawFile('{"__metadata__":null}'))).metadata }).toEqual({});
    expect({ ...(await openCheckpoint(rawFile('{"__metadata__":{"a":null,"b":"c"}}'))).metadata }).toEqual({ b: "c" });
  });
});
