import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { type ConvertOptions, convertFile, registerConvert } from "../../src/cli/convert.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { validateTensors } from "../../src/networks/edm2/names.js";
import { call, dict, dump, type Py } from "../support/pickle-asm.js";
import {
  hollow,
  legacyFile,
  network,
  snapshot,
  storage,
  storageId,
  TINY,
  TINY_COMPLETE,
  tensor,
  tinyTensors,
} from "../support/pickle-torch.js";
import { fixturePath } from "../support/safetensors-fixture.js";
import { snapshotPath } from "../support/snapshots.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "convert-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const fresh = (extension = ".safetensors") => join(folder, `${++files}${extension}`);

async function convert(input: string | Uint8Array, options: ConvertOptions = {}) {
  let path = input;
  if (typeof path !== "string") {
    path = fresh(".pkl");
    writeFileSync(path, input as Uint8Array);
  }
  const output = fresh();
  const result = await convertFile(path, output, { quiet: true, ...options });
  const checkpoint = await openCheckpoint(output);
  const parsed = parseConfig(checkpoint);
  validateTensors(checkpoint, parsed.architecture, parsed.config);
  const values = new Map<string, Uint8Array>();
  for (const name of checkpoint.tensors.keys()) values.set(name, await checkpoint.readBytes(name));
  await checkpoint.close();
  return { result, checkpoint, parsed, values, output };
}

/** Names, types, shapes and every bit of every value. */
async function expectSameTensors(made: Awaited<ReturnType<typeof convert>>, expectedFile: string): Promise<void> {
  const expected = await openCheckpoint(expectedFile);
  expect([...made.checkpoint.tensors.keys()].sort()).toEqual([...expected.tensors.keys()].sort());
  for (const [name, { dtype, shape }] of expected.tensors) {
    expect(made.checkpoint.tensors.get(name)).toMatchObject({ dtype, shape });
    expect(Buffer.compare(made.values.get(name)!, await expected.readBytes(name)), name).toBe(0);
  }
  await expected.close();
}

describe("snapshots of the reference", () => {
  it.each(["edm2-tiny", "ncvsd-tiny"] as const)("%s: every value, and the config, as recorded", async (name) => {
    const made = await convert(snapshotPath(name));
    await expectSameTensors(made, fixturePath(`${name}.safetensors`));
    const expected = await openCheckpoint(fixturePath(`${name}.safetensors`));
    expect(made.checkpoint.metadata.format).toBe("pt");
    expect(made.checkpoint.metadata.architecture).toBe(expected.metadata.architecture);
    expect(JSON.parse(made.checkpoint.metadata.config!)).toMatchObject(JSON.parse(expected.metadata.config!));
    expect(made.parsed.config).toEqual(parseConfig(expected).config);
    await expected.close();
  });

  it.each(["edm2-tiny", "ncvsd-tiny"] as const)("%s: opened as it is, it is the same network", async (name) => {
    const [pickled, expected] = await Promise.all(
      [snapshotPath(name), fixturePath(`${name}.safetensors`)].map((file) => openCheckpoint(file)),
    );
    expect(parseConfig(pickled!).config).toEqual(parseConfig(expected!).config);
    expect([...pickled!.tensors.keys()].sort()).toEqual([...expected!.tensors.keys()].sort());
    for (const key of expected!.tensors.keys())
      expect(await pickled!.readF32(key)).toEqual(await expected!.readF32(key));
    await Promise.all([pickled!.close(), expected!.close()]);
  });

  it("a snapshot without a network says where it looked", async () => {
    await expect(convert(fixturePath("pickle/encoder-latent.pkl"))).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringMatching(/encoder-latent\.pkl.*no EDM2 Precond.*looked under 'encoder'/),
    });
  });
});

describe("files of current PyTorch", () => {
  it.each(["edm2-protocol2.pkl", "ncvsd-views.pkl", "edm2-one-storage.pt", "edm2-legacy.pt"])("%s", async (name) => {
    const made = await convert(fixturePath(`convert/${name}`));
    await expectSameTensors(made, fixturePath(`convert/${name.replace(/\.\w+$/, ".safetensors")}`));
    expect(made.parsed.config).toMatchObject({
      img_resolution: 4,
      channel_mult: [1],
      channels_per_head: 2,
      clip_act: name === "edm2-protocol2.pkl" ? null : 256,
      label_balance: name === "edm2-one-storage.pt" ? 0.25 : 0.5,
      ...(name.startsWith("ncvsd") ? { gamma: 0.25, init_sigma: 60, sigma_data: 0.75, label_dim: 3 } : {}),
    });
  });

  it("a bare state_dict needs --config for what tensors do not tell, and says so", async () => {
    const input = fixturePath("convert/edm2-state-dict.pt");
    await expect(convert(input)).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringContaining("--config"),
    });
    const made = await convert(input, { config: { channels_per_head: 2, label_balance: 0.25 } });
    await expectSameTensors(made, fixturePath("convert/edm2-state-dict.safetensors"));
    expect(made.parsed.config).toMatchObject({ channels_per_head: 2, label_balance: 0.25, img_resolution: 4 });
    expect(made.result.className).toBe("state_dict");
  });
});

describe("constructor arguments", () => {
  it("may be given by position", async () => {
    const { img_resolution, img_channels, label_dim, ...rest } = TINY;
    const args = [img_resolution, img_channels, label_dim, true, 0.75];
    const made = await convert(dump(snapshot(network("edm2", { args, kwargs: rest }))));
    expect(made.parsed.config).toEqual({ ...TINY_COMPLETE, sigma_data: 0.75 });
  });

  it("without a record come from the attributes of the modules and from the tensors", async () => {
    const state = { img_resolution: 2, img_channels: 1, label_dim: 0, sigma_data: 0.25 };
    const blocks = { res_balance: 0.25, attn_balance: 0.3, clip_act: null, resample_filter: [1, 3, 3, 1] };
    const parts = { label_balance: 0.5, concat_balance: 0.75 };
    const made = await convert(dump(snapshot(network("ncvsd", { kwargs: null, state, parts, blocks }))));
    expect(made.parsed.config).toEqual({
      ...TINY_COMPLETE,
      ...state,
      ...parts,
      ...blocks,
      gamma: 0.25,
      init_sigma: 70,
    });
  });

  it("without a record and without the attributes have to be given", async () => {
    const bare = dump(snapshot(network("edm2", { kwargs: null })));
    await expect(convert(bare)).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringContaining("--config"),
    });
    expect((await convert(bare, { config: { sigma_data: 1 } })).parsed.config).toEqual({
      ...TINY_COMPLETE,
      sigma_data: 1,
    });
  });

  it("that blocks do not share cannot be one argument", async () => {
    const write = (n: number) => network("edm2", { blocks: { clip_act: () => n++ } });
    await expect(convert(dump(snapshot(write(1))))).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringContaining("differ in clip_act"),
    });
  });

  it("yield to an attribute that was changed after construction", async () => {
    const made = await convert(
      dump(snapshot(network("edm2", { kwargs: { ...TINY, sigma_data: 0.5 }, state: { sigma_data: 2 } }))),
    );
    expect(made.parsed.config.sigma_data).toBe(2);
  });

  it("that concern training are left out, unknown ones are an error that names them", async () => {
    const made = await convert(dump(snapshot(network("edm2", { kwargs: { ...TINY, use_fp16: true, dropout: 0.1 } }))));
    expect(made.parsed.config).toEqual(TINY_COMPLETE);
    const unknown = dump(snapshot(network("edm2", { kwargs: { ...TINY, gated_attention: true } })));
    await expect(convert(unknown)).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringContaining("gated_attention"),
    });
  });

  it("that contradict the tensors are an error", async () => {
    const wrong = dump(snapshot(network("edm2", { kwargs: { ...TINY, model_channels: 4 } })));
    await expect(convert(wrong)).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
  });
});

describe("--dtype", () => {
  const values = Float32Array.of(1, 1 + 2 ** -11, 1 + 2 ** -8, -3e-8, 65504, Number.NaN, Number.POSITIVE_INFINITY, 0.1);
  const withValues = (data: Float32Array, dtype: "F32" | "F64" = "F32") => {
    const write = (_name: string, shape: readonly number[], bytes: Uint8Array) => {
      const own = new Float32Array(bytes.buffer).map((value, i) => data[i] ?? value);
      const stored = dtype === "F64" ? Float64Array.from(own) : own;
      return tensor(storage(dtype, new Uint8Array(stored.buffer)), 0, shape);
    };
    return dump(snapshot(network("edm2", { write })));
  };
  const name = "unet.dec.2x2_in0.conv_res0.weight";
  const f32 = (bytes: Uint8Array) => [...new Float32Array(bytes.slice().buffer)].slice(0, values.length);
  const u16 = (bytes: Uint8Array) => [...new Uint16Array(bytes.slice().buffer)].slice(0, values.length);

  it("keeps the type without the option, and all bits with it", async () => {
    const made = await convert(withValues(values));
    expect(made.checkpoint.tensors.get(name)!.dtype).toBe("F32");
    expect(f32(made.values.get(name)!)).toEqual([...values]);
    expect(made.result.dtypes).toEqual({ F32: made.result.parameters });
  });

  it("rounds to nearest even in f16 and bf16", async () => {
    const half = await convert(withValues(values), { dtype: "F16" });
    expect(half.checkpoint.tensors.get(name)!.dtype).toBe("F16");
    expect(u16(half.values.get(name)!)).toEqual([0x3c00, 0x3c00, 0x3c04, 0x8001, 0x7bff, 0x7e00, 0x7c00, 0x2e66]);
    const brain = await convert(withValues(values), { dtype: "BF16" });
    expect(u16(brain.values.get(name)!)).toEqual([0x3f80, 0x3f80, 0x3f80, 0xb301, 0x4780, 0x7fc0, 0x7f80, 0x3dcd]);
    expect(half.result.bytes).toBeLessThan((await convert(withValues(values))).result.bytes);
  });

  it("widens f16 exactly to f32", async () => {
    const made = await convert(snapshotPath("edm2-tiny"), { dtype: "F32" });
    const expected = await openCheckpoint(fixturePath("edm2-tiny.safetensors"));
    for (const tensorName of expected.tensors.keys()) {
      const want = await expected.readF32(tensorName);
      expect(Buffer.compare(made.values.get(tensorName)!, new Uint8Array(want.buffer))).toBe(0);
    }
    await expected.close();
  });

  it("turns float64 into f32", async () => {
    const made = await convert(withValues(values, "F64"));
    expect(made.checkpoint.tensors.get(name)!.dtype).toBe("F32");
    expect(f32(made.values.get(name)!)).toEqual([...values]);
  });

  it("refuses values that the type cannot hold, and leaves nothing", async () => {
    const before = readdirSync(folder).length;
    await expect(convert(withValues(Float32Array.of(65520)), { dtype: "F16" })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(/tensor '.*too large for F16/),
    });
    expect(readdirSync(folder)).toHaveLength(before + 1); // the pickle
  });
});

describe("the output file", () => {
  const tiny = () => dump(snapshot(network("edm2")));

  it("holds every tensor of a synthetic snapshot", async () => {
    const made = await convert(dump(snapshot(network("ncvsd"))));
    for (const [name, { data }] of tinyTensors("ncvsd")) expect(made.values.get(name), name).toEqual(data);
    expect(made.values.size).toBe(tinyTensors("ncvsd").size);
  });

  it("is written as it is read: a tensor of 128 MiB takes a few buffers", async () => {
    const label_dim = 2 ** 24;
    const { before, hole, after } = hollow(2 * label_dim, (blob) => {
      const write = (_name: string, shape: readonly number[], data: Uint8Array) =>
        tensor(shape[1] === label_dim ? blob : storage("F32", data), 0, shape);
      const config = { ...TINY_COMPLETE, label_dim };
      return snapshot(network("edm2", { kwargs: { ...TINY, label_dim }, config, write }));
    });
    const input = fresh(".pkl");
    writeFileSync(input, before);
    truncateSync(input, before.length + hole);
    appendFileSync(input, after);
    const start = process.memoryUsage.rss();
    let most = 0;
    const timer = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss() - start);
    }, 2);
    const output = fresh();
    const { parameters } = await convertFile(input, output, { quiet: true }).finally(() => clearInterval(timer));
    expect(parameters).toBeGreaterThan(2 * label_dim);
    expect(statSync(output).size).toBeGreaterThan(hole);
    expect(most).toBeLessThan(hole / 2);
    rmSync(output);
    rmSync(input);
  });

  it("is not overwritten without --force, not even by a file that fails", async () => {
    const input = fresh(".pkl");
    const output = fresh();
    writeFileSync(input, tiny());
    writeFileSync(output, "precious");
    await expect(convertFile(input, output, { quiet: true })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("--force"),
    });
    const broken = fresh(".pkl");
    writeFileSync(broken, tiny().subarray(0, 3000));
    await expect(convertFile(broken, output, { quiet: true, force: true })).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
    });
    expect(readFileSync(output, "utf8")).toBe("precious");
    await convertFile(input, output, { quiet: true, force: true });
    expect(readFileSync(output).length).toBeGreaterThan(1000);
    await expect(convertFile(input, input, { quiet: true, force: true })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });

  it("leaves nothing behind where the input is missing or the folder is not there", async () => {
    const own = mkdtempSync(join(tmpdir(), "convert-"));
    await expect(
      convertFile(join(own, "missing.pkl"), join(own, "out.safetensors"), { quiet: true }),
    ).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
    });
    const input = snapshotPath("edm2-tiny");
    await expect(convertFile(input, join(own, "no/where.safetensors"), { quiet: true })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("folder"),
    });
    expect(readdirSync(own)).toEqual([]);
    rmSync(own, { recursive: true });
  });

  it.each([
    ["a safetensors file", () => readFileSync(fixturePath("edm2-tiny.safetensors"))],
    ["an HTML page", () => Buffer.from("<!doctype html><html>Not found</html>")],
    ["an empty file", () => Buffer.alloc(0)],
  ])("is not made from %s", async (_what, bytes) => {
    await expect(convert(bytes())).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
  });
});

describe("networks of another kind", () => {
  const data = new Uint8Array(Float32Array.from({ length: 64 }, (_, i) => i + 1).buffer);
  const lin = (key: string) => tensor(storageId("F32", key, 64, null), 0, [1, 64, 1, 1]);
  // As Python 2 wrote LPIPS's weights: the legacy container, an OrderedDict made from pairs.
  const pairs: Py = [0, 1].map((i) => [`module.lin${i}.model.1.weight`, lin(String(i))]);
  const lpips = legacyFile(
    call("collections", "OrderedDict", pairs),
    ["0", "1"].map((key) => ({ key, dtype: "F32" as const, data })),
  );

  it("are told of --tensors, which copies their floats under their names", async () => {
    await expect(convert(lpips)).rejects.toThrow(/no EDM2 Precond.*--tensors/);
    const input = fresh(".pth");
    const output = fresh();
    writeFileSync(input, lpips);
    const result = await convertFile(input, output, { quiet: true, tensors: true });
    expect(result).toMatchObject({ architecture: "other", config: null, tensors: 2, selected: "(top)", others: [] });
    const checkpoint = await openCheckpoint(output);
    expect([...checkpoint.tensors.keys()].sort()).toEqual(["lin0.model.1.weight", "lin1.model.1.weight"]);
    expect(await checkpoint.readBytes("lin1.model.1.weight")).toEqual(data);
    expect({ ...checkpoint.metadata }).toEqual({ format: "pt" });
    await checkpoint.close();
  });

  it("lose what is no float, and optimizers are no networks; averages are taken here too", async () => {
    const blob = storage("F32", data);
    const count = tensor(storage("I64", new Uint8Array(8)), 0, []);
    const net = (key: string) => dict({ [key]: tensor(blob, 0, [64]), count });
    const input = fresh(".pt");
    const optimizer = dict({ state: dict({ 0: dict({ exp_avg: tensor(blob, 0, [64]) }) }) });
    writeFileSync(input, dump(dict({ model: net("w"), model_ema: net("v"), optimizer })));
    const output = fresh();
    const result = await convertFile(input, output, { quiet: true, tensors: true });
    expect(result).toMatchObject({ selected: "model_ema", others: ["model"], averaged: true, tensors: 1 });
  });
});

describe("the command", () => {
  async function run(...args: string[]): Promise<string> {
    const program = new Command("ncvsd-gpu").exitOverride();
    registerConvert(program);
    let printed = "";
    const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      printed += text;
      return true;
    });
    try {
      await program.parseAsync(["node", "ncvsd-gpu", ...args]);
    } finally {
      write.mockRestore();
    }
    return printed;
  }

  it("prints what it found, as text or as one JSON object", async () => {
    const input = snapshotPath("ncvsd-tiny");
    const output = fresh();
    const json = JSON.parse(await run("convert", input, output, "--json", "--dtype", "bf16"));
    expect(json).toMatchObject({
      input,
      output,
      architecture: "ncvsd",
      className: "PrecondCondition",
      tensors: 129,
      parameters: 624588,
      dtypes: { BF16: 624588 },
      bytes: readFileSync(output).length,
      config: { model_channels: 16, gamma: 0.414, init_sigma: 80 },
    });
    const text = await run("convert", input, output, "--force");
    expect(text).toMatch(/ncvsd \(PrecondCondition\)[\s\S]*624,588 F16 in 129 tensors[\s\S]*written/);
  });

  it("says on stderr and in its JSON which of several networks it took", async () => {
    const input = fresh(".pkl");
    writeFileSync(input, dump(snapshot(network("edm2"), { net: network("edm2") })));
    const said = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    try {
      const json = JSON.parse(await run("convert", input, fresh(), "--json"));
      expect(json).toMatchObject({ selected: "ema", others: ["net"], averaged: true });
      expect(said.mock.calls.join("")).toMatch(/took the average 'ema'; 'net' was left out \(--select chooses\)/);
      const other = JSON.parse(await run("convert", input, fresh(), "--json", "--select", "net"));
      expect(other).toMatchObject({ selected: "net", others: ["ema"], averaged: false });
    } finally {
      said.mockRestore();
    }
    await expect(run("convert", input, fresh(), "--select", "G")).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(/names none of its networks: .*'ema'/),
    });
  });

  it("shows an example in --help and refuses an unknown dtype", async () => {
    const program = new Command("ncvsd-gpu").exitOverride();
    registerConvert(program);
    const command = program.commands[0]!;
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    expect(help).toMatch(/Examples:\n\s+ncvsd-gpu convert \S+\.pkl \S+\.safetensors/);
    expect(help).toMatch(/--dtype[\s\S]*--force[\s\S]*--json/);
    await expect(run("convert", "a.pkl", "b.safetensors", "--dtype", "int8")).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });
});
