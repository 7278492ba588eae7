import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { narrowBF16, narrowF16, openCheckpoint, openSource, writeSafetensors } from "../../src/checkpoint/index.js";
import { Sha256 } from "../../src/checkpoint/sha256.js";
import { fixturePath, loadFixture, rawFile, weightsPath } from "../support/safetensors-fixture.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ncvsd-checkpoint-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const values = Float32Array.of(1, -0, 0.1, 65504, 1e-7, -3.25);
const sample = () =>
  writeSafetensors(
    [
      { name: "half", dtype: "F16", shape: [2, 3], data: narrowF16(values) },
      { name: "brain", dtype: "BF16", shape: [6], data: narrowBF16(values) },
      { name: "single", dtype: "F32", shape: [3, 2], data: values },
      { name: "double", dtype: "F64", shape: [2], data: Float64Array.of(0.1, -2) },
      { name: "gain", dtype: "F32", shape: [], data: Float32Array.of(7) },
      { name: "none", dtype: "F32", shape: [0, 5], data: new Float32Array(0) },
      { name: "__proto__", dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) },
      { name: 'ünï "x"\n', dtype: "I64", shape: [1], data: BigInt64Array.of(-5n) },
    ],
    { format: "pt", config: '{"a": 1}', __proto__x: "y" },
  );

describe("what is written is read back", () => {
  it("a header whose length begins as a pickle does", async () => {
    const tensors = [{ name: "w", dtype: "F32", shape: [1], data: Float32Array.of(5) }] as const;
    const plain = writeSafetensors(tensors, { note: "" });
    const length = new DataView(plain.buffer, plain.byteOffset).getUint32(0, true);
    for (const wanted of [0x280, 0x380, 0x10580]) {
      const file = writeSafetensors(tensors, { note: "x".repeat(wanted - length) });
      expect(file[0]).toBe(0x80);
      expect([...(await (await openCheckpoint(file)).readF32("w"))]).toEqual([5]);
    }
  });

  it("large tensors that are no F32 too, which are read a piece at a time", async () => {
    const length = 5 * 2 ** 20 + 3;
    const large = Float32Array.from({ length }, (_, i) => (i % 2039) - 1000);
    const file = writeSafetensors([
      { name: "before", dtype: "F32", shape: [1], data: Float32Array.of(1) },
      { name: "half", dtype: "F16", shape: [length], data: narrowF16(large) },
      { name: "brain", dtype: "BF16", shape: [length], data: narrowBF16(large.map((v) => v % 128)) },
      { name: "double", dtype: "F64", shape: [length], data: Float64Array.from(large) },
    ]);
    const blob = new Blob([file]);
    let longest = 0;
    const slice = blob.slice.bind(blob);
    blob.slice = (from = 0, to = blob.size) => {
      longest = Math.max(longest, to - from);
      return slice(from, to);
    };
    const checkpoint = await openCheckpoint(blob);
    const same = (a: Float32Array, b: Float32Array) =>
      Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;
    expect(same(await checkpoint.readF32("half"), large)).toBe(true);
    expect(
      same(
        await checkpoint.readF32("brain"),
        large.map((v) => v % 128),
      ),
    ).toBe(true);
    expect(same(await checkpoint.readF32("double"), large)).toBe(true);
    expect(longest).toBeLessThanOrEqual(8 * 2 ** 20);
  });

  it("names, dtypes, shapes, metadata, values", async () => {
    const checkpoint = await openCheckpoint(sample());
    expect(checkpoint.metadata).toEqual(
      Object.assign(Object.create(null), { format: "pt", config: '{"a": 1}', __proto__x: "y" }),
    );
    const list = [...checkpoint.tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape]);
    expect(Object.fromEntries(list.map(([name, ...rest]) => [`_${name}`, rest]))).toEqual({
      _half: ["F16", [2, 3]],
      _brain: ["BF16", [6]],
      _single: ["F32", [3, 2]],
      _double: ["F64", [2]],
      _gain: ["F32", []],
      _none: ["F32", [0, 5]],
      ___proto__: ["U8", [3]],
      '_ünï "x"\n': ["I64", [1]],
    });
    expect([...(await checkpoint.readF32("single"))]).toEqual([...values]);
    expect([...(await checkpoint.readF32("half"))]).toEqual([
      1, -0, 0.0999755859375, 65504, 1.1920928955078125e-7, -3.25,
    ]);
    expect([...(await checkpoint.readF32("brain"))]).toEqual(
      [1, -0, 0.10009765625, 65536, 1.00117176818e-7, -3.25].map(Math.fround),
    );
    expect([...(await checkpoint.readF32("double"))]).toEqual([Math.fround(0.1), -2]);
    expect([...(await checkpoint.readF32("gain"))]).toEqual([7]);
    expect([...(await checkpoint.readF32("none"))]).toEqual([]);
    expect([...(await checkpoint.readBytes("__proto__"))]).toEqual([1, 2, 3]);
    await expect(checkpoint.readF32("__proto__")).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringMatching(/'__proto__' is U8, where floats are needed/),
    });
    await expect(checkpoint.readBytes("toString")).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
  });

  it("a metadata key __proto__ is a key like any other", async () => {
    const { metadata } = await openCheckpoint(rawFile('{"__metadata__":{"__proto__":"x"}}'));
    expect(Object.entries(metadata)).toEqual([["__proto__", "x"]]);
    expect(metadata.toString).toBeUndefined();
  });

  it("header and tensors are aligned", () => {
    const bytes = sample();
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(header.double.data_offsets).toEqual([0, 16]);
    expect(header.half.data_offsets[0] % 2).toBe(0);
  });

  it("the bytes that are read are the caller's own", async () => {
    const bytes = sample();
    const before = bytes.slice();
    const checkpoint = await openCheckpoint(bytes);
    (await checkpoint.readF32("single")).fill(0);
    expect(bytes).toEqual(before);
  });

  it("what cannot be written is refused", () => {
    const data = new Float32Array(2);
    const bad = (name: string, dtype: string, shape: number[]) => () =>
      writeSafetensors([{ name, dtype, shape, data }]);
    expect(bad("w", "F32", [3])).toThrow(/'w': F32 \[3\] does not take the 8 bytes/);
    expect(bad("w", "F16", [2])).toThrow(/does not take/);
    expect(bad("w", "F32", [-1])).toThrow(/does not take/);
    expect(bad("w", "float", [2])).toThrow(/unknown dtype/);
    expect(bad("__metadata__", "F32", [2])).toThrow(/cannot be called/);
    expect(bad("\ud800", "F32", [2])).toThrow(/not well-formed/);
    const twice = { name: "w", dtype: "F32", shape: [2], data };
    expect(() => writeSafetensors([twice, twice])).toThrow(/two tensors to write are called 'w'/);
  });

  it("every file of the fixtures and weights opens, and its data are all there", async () => {
    const list = (readdirSync(fixturePath(""), { recursive: true }) as string[]).map((name) => fixturePath(name));
    list.push(...readdirSync(weightsPath("")).map((name) => weightsPath(name)));
    const files = list.filter((name) => name.endsWith(".safetensors"));
    expect(files.length).toBeGreaterThan(50);
    for (const path of files) {
      const checkpoint = await openCheckpoint(path);
      for (const { name, dtype } of checkpoint.tensors.values()) {
        // The recorded gradients of the optimiser's rule for NaN and infinities.
        if (dtype.includes("F")) await checkpoint.readF32(name, { allowNonFinite: name === "adam.g" });
        else await checkpoint.readBytes(name);
      }
      await checkpoint.close();
    }
  });

  it("recorded values come out as recorded", async () => {
    const silu = await loadFixture("primitives/mp_silu.safetensors");
    const [x, out] = [silu.f32("x"), silu.f32("out")];
    x.forEach((v, i) => {
      expect(out[i]).toBeCloseTo(v / (1 + Math.exp(-v)) / 0.596, 4);
    });
  });
});

describe("values that are not finite", () => {
  const at = (dtype: string, data: ArrayBufferView, shape: number[]) =>
    openCheckpoint(writeSafetensors([{ name: "dec.out_gain", dtype, shape, data }]));
  it.each([
    ["NaN in F32", "F32", Float32Array.of(1, 2, 3, 4, Number.NaN, Number.NaN), "holds NaN at [1, 1]"],
    ["infinity in F32", "F32", Float32Array.of(1, 2, 3, 4, 5, Number.NEGATIVE_INFINITY), "holds -Infinity at [1, 2]"],
    ["infinity in F16", "F16", Uint16Array.of(0, 0x7c00, 0, 0, 0, 0), "holds Infinity at [0, 1]"],
    ["NaN in BF16", "BF16", Uint16Array.of(0x7fc0, 0, 0, 0, 0, 0), "holds NaN at [0, 0]"],
    ["F64 beyond F32", "F64", Float64Array.of(0, 0, 1e39, 0, 0, 0), "holds Infinity at [0, 2]"],
  ])("%s", async (_, dtype, data, message) => {
    const checkpoint = await at(dtype, data, [2, 3]);
    await expect(checkpoint.readF32("dec.out_gain")).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringContaining(`tensor 'dec.out_gain' ${message}`),
    });
    expect((await checkpoint.readF32("dec.out_gain", { allowNonFinite: true })).length).toBe(6);
  });

  it("a scalar has no index", async () => {
    const checkpoint = await at("F32", Float32Array.of(Number.NaN), []);
    await expect(checkpoint.readF32("dec.out_gain")).rejects.toThrow(/holds NaN; the weights/);
  });

  it("the largest finite values pass", async () => {
    const checkpoint = await at("F32", Uint32Array.of(0x7f7fffff, 0xff7fffff, 1, 0), [4]);
    expect((await checkpoint.readF32("dec.out_gain"))[1]).toBe(-3.4028234663852886e38);
  });
});

describe("where the bytes come from", () => {
  it("path, file URL (object and string), ArrayBuffer, bytes inside a larger buffer, Blob, File", async () => {
    const bytes = sample();
    const path = join(folder, "a b#1.safetensors");
    writeFileSync(path, bytes);
    const inside = new Uint8Array(bytes.length + 3);
    inside.set(bytes, 3);
    const inputs = [
      path,
      pathToFileURL(path),
      pathToFileURL(path).href,
      bytes.buffer,
      inside.subarray(3),
      new Blob([bytes]),
      new File([bytes], "f.safetensors"),
    ];
    const names = [];
    for (const input of inputs) {
      const checkpoint = await openCheckpoint(input);
      names.push(checkpoint.name);
      expect([...(await checkpoint.readF32("single"))]).toEqual([...values]);
      expect(await checkpoint.sha256()).toBe(createHash("sha256").update(bytes).digest("hex"));
      await checkpoint.close();
    }
    expect(names).toEqual([path, path, path, "(bytes)", "(bytes)", "(blob)", "f.safetensors"]);
  });

  it("a file that becomes shorter while it is read", async () => {
    const path = join(folder, "shrinking.safetensors");
    writeFileSync(path, sample());
    const checkpoint = await openCheckpoint(path);
    truncateSync(path, 20);
    await expect(checkpoint.readF32("single")).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringMatching(/became shorter/),
    });
    await checkpoint.close();
  });

  it("a read beyond the end is refused", async () => {
    const source = await openSource(new Uint8Array(4));
    await expect(source.read(2, 3)).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
    await expect(source.read(-1, 2)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  it.runIf(process.platform === "linux")("no file stays open, neither after success nor after an error", async () => {
    const good = join(folder, "open-good.safetensors");
    const bad = join(folder, "open-bad.safetensors");
    writeFileSync(good, sample());
    writeFileSync(bad, rawFile("{}", new Uint8Array(1)));
    const checkpoint = await openCheckpoint(good);
    await checkpoint.close();
    await expect(openCheckpoint(bad)).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
    const links = readdirSync("/proc/self/fd").map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return "";
      }
    });
    expect(links.filter((link) => link.includes("/open-"))).toEqual([]);
  });
});

describe("SHA-256", () => {
  it("our own agrees with Node's at every length around the block size and in any pieces", () => {
    for (const length of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
      const split = Math.floor(length / 3);
      const own = new Sha256().update(bytes.subarray(0, split)).update(bytes.subarray(split)).hex();
      expect(own).toBe(createHash("sha256").update(bytes).digest("hex"));
    }
  });

  it("of a file is that of its bytes", async () => {
    const path = weightsPath("ncvsd-fashion32.safetensors");
    const checkpoint = await openCheckpoint(path);
    expect(await checkpoint.sha256()).toBe(createHash("sha256").update(readFileSync(path)).digest("hex"));
    await checkpoint.close();
  });
});
