import { describe, expect, it } from "vitest";
import type { ByteSource } from "../../src/checkpoint/byte-source.js";
import { narrowBF16, openSource } from "../../src/checkpoint/index.js";
import { Budget, CHUNK_BYTES } from "../../src/checkpoint/unpickle/limits.js";
import { decodeLong, unpickle } from "../../src/checkpoint/unpickle/machine.js";
import { arrayValues } from "../../src/checkpoint/unpickle/numpy.js";
import { OP } from "../../src/checkpoint/unpickle/opcodes.js";
import { readSnapshot } from "../../src/checkpoint/unpickle/snapshot.js";
import { Latin1Source } from "../../src/checkpoint/unpickle/sources.js";
import {
  type PyArray,
  PyBytes,
  PyDict,
  PyGlobal,
  PyList,
  PyNode,
  type PyObject,
  type PySet,
  PyText,
  PyTuple,
  type PyValue,
  type TorchDtype,
} from "../../src/checkpoint/unpickle/values.js";
import {
  call,
  dict,
  dump,
  instance,
  orderedDict,
  PickleAsm,
  type Py,
  persistent,
  tuple,
} from "../support/pickle-asm.js";
import { hollow, network, parameter, snapshot, storage, storageId, tensor, torchZip } from "../support/pickle-torch.js";
import { fixturePath, loadFixture } from "../support/safetensors-fixture.js";

const load = async (bytes: Uint8Array): Promise<PyValue> =>
  (await unpickle(await openSource(bytes), 0, new Budget())).value;

/** A value as plain JavaScript, for comparison. */
async function plain(value: PyValue): Promise<unknown> {
  const all = (items: readonly PyValue[]) => Promise.all(items.map(plain));
  if (value instanceof PyBytes) return [...(await value.source.read(value.offset, value.length))];
  if (value instanceof PyTuple) return { tuple: await all(value.items) };
  if (value instanceof PyList) return all(value.items);
  if (value instanceof PyDict)
    return Promise.all([...value.entries()].map(async ([k, v]) => [await plain(k), await plain(v)]));
  if (value instanceof PyGlobal) return value.qualified;
  if (value instanceof PyNode) throw new Error(`unexpected ${value.constructor.name}`);
  return value;
}

describe("the pickle machine", () => {
  const everything = new Map<Py, Py>([
    ["none", null],
    ["bools", [true, false]],
    ["integers", [0, 255, 256, 65535, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 40, -(2 ** 40)]],
    ["float", 0.1],
    ["text", "Grüße, 世界"],
    ["bytes", Uint8Array.of(0, 127, 128, 255)],
    [7, tuple(1, tuple(), tuple("a", tuple(null)))],
    ["class", { global: ["package.module", "Outer.Inner"] }],
  ]);

  it.each([2, 3, 4, 5])("reads protocol %i", async (protocol) => {
    expect(await plain(await load(dump(everything, protocol)))).toEqual([
      ["none", null],
      ["bools", [true, false]],
      ["integers", [0, 255, 256, 65535, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 40, -(2 ** 40)]],
      ["float", 0.1],
      ["text", "Grüße, 世界"],
      ["bytes", [0, 127, 128, 255]],
      [7, { tuple: [1, { tuple: [] }, { tuple: ["a", { tuple: [null] }] }] }],
      ["class", "package.module.Outer.Inner"],
    ]);
  });

  it("reads what CPython 3.11 wrote", async () => {
    // pickle.dumps([{"k": (1, 2.5, -3), "s": {1}, "f": frozenset({"x"})}, b"\0\xff", 2**70, bytearray(b"ab")], 5)
    const hex =
      "80059550000000000000005d94287d94288c016b944b014740040000000000004afdffffff87948c0173948f94284b01908c0166942" +
      "88c017894919475430200ff948a09000000000000000040960200000000000000616294652e";
    const value = (await load(Uint8Array.from(Buffer.from(hex, "hex")))) as PyList;
    const [first, bytes, long, array] = value.items as [PyDict, PyBytes, bigint, PyBytes];
    expect(await plain(first.get("k")!)).toEqual({ tuple: [1, 2.5, -3] });
    expect((first.get("s") as PySet).has(1)).toBe(true);
    expect((first.get("f") as PySet).has("x")).toBe(true);
    expect(await plain(bytes)).toEqual([0, 255]);
    expect(long).toBe(2n ** 70n);
    expect(await plain(array)).toEqual([97, 98]);
  });

  it("shares what the memo shares, and bears an object inside itself", async () => {
    const shared: Py = [1];
    const value = (await load(dump([shared, shared]))) as PyList;
    expect(value.items[0]).toBe(value.items[1]);
    const cycle = (await load(
      new PickleAsm().op(OP.EMPTY_LIST).op(OP.MEMOIZE).op(OP.BINGET, 0).op(OP.APPEND).stop(),
    )) as PyList;
    expect(cycle.items[0]).toBe(cycle);
  });

  it("keeps objects of unknown classes as records, and calls of unknown functions too", async () => {
    const made = (await load(dump(instance("some.package", "Thing", dict({ a: 1 }))))) as PyObject;
    expect(made.cls.qualified).toBe("some.package.Thing");
    expect((made.state as PyDict).get("a")).toBe(1);
    const called = (await load(dump(call("some.package", "make", 5)))) as PyObject;
    expect(await plain(called.args)).toEqual({ tuple: [5] });
  });

  it("keeps long text as a reference into the file", async () => {
    const source = "import os\n".repeat(3000);
    const text = (await load(dump(source))) as PyText;
    expect(text).toBeInstanceOf(PyText);
    expect(text.length).toBe(30000);
  });

  it("decodes integers of any length", () => {
    const of = (...bytes: number[]) => decodeLong(Uint8Array.from(bytes));
    expect([of(), of(255), of(0, 128), of(255, 0), of(0, 0, 0, 0, 0, 0, 32, 0)]).toEqual([
      0,
      -1,
      -32768,
      255,
      2n ** 53n,
    ]);
    expect(of(0, 0, 0, 0, 0, 0, 0, 128)).toBe(-(2n ** 63n));
  });

  it("reads sets and ordered dicts of protocol 2", async () => {
    const value = (await load(dump([{ set: ["a", 2] }, orderedDict({ b: 1, a: 2 })], 2))) as PyList;
    expect((value.items[0] as PySet).has(2)).toBe(true);
    expect(await plain(value.items[1]!)).toEqual([
      ["b", 1],
      ["a", 2],
    ]);
  });
});

describe("numpy", () => {
  it("arrays of the encoder of a latent model equal the recorded ones", async () => {
    const source = await openSource(fixturePath("pickle/encoder-latent.pkl"));
    const root = (await unpickle(source, 0, new Budget())).value as PyDict;
    const { meta } = root.get("encoder") as unknown as { meta: PyDict };
    const state = meta.get("state") as PyDict;
    const expected = await loadFixture("pickle/encoder-latent.expected.safetensors");
    for (const name of ["scale", "bias"]) {
      const { shape, values } = await arrayValues(state.get(name) as PyArray);
      expect(shape).toEqual(expected.shape(name));
      expect(Float32Array.from(values)).toEqual(expected.f32(name));
    }
    await source.close();
  });

  const dtype = (code: string, order = "<"): Py => ({
    ...call("numpy", "dtype", code, false, true),
    state: tuple(3, order, null, null, null, -1, -1, 0),
  });
  const array = (core: string, code: string, shape: number[], data: Uint8Array, fortran = false, order = "<"): Py => ({
    ...call(`${core}.multiarray`, "_reconstruct", { global: ["numpy", "ndarray"] }, tuple(0), Uint8Array.of(98)),
    state: tuple(1, tuple(...shape), dtype(code, order), fortran, data),
  });
  const values = async (value: Py, protocol = 4) => arrayValues((await load(dump(value, protocol))) as PyArray);
  const bytes = (typed: ArrayBufferView) => new Uint8Array(typed.buffer);

  it.each([2, 3, 4, 5])("arrays and scalars, protocol %i", async (protocol) => {
    const data = bytes(Float64Array.of(1.5, -2, 3e300));
    expect(await values(array("numpy.core", "f8", [3], data), protocol)).toEqual({
      shape: [3],
      values: [1.5, -2, 3e300],
    });
    const half = bytes(Uint16Array.of(0x3c00, 0xc000));
    expect((await values(array("numpy._core", "f2", [2], half), protocol)).values).toEqual([1, -2]);
    const scalar = call("numpy.core.multiarray", "scalar", dtype("i8"), bytes(BigInt64Array.of(-5n)));
    expect(await values(scalar, protocol)).toEqual({ shape: [], values: [-5] });
  });

  it("column-major and big-endian arrays, and those of protocol 5", async () => {
    const data = bytes(Int32Array.of(1, 2, 3, 4, 5, 6));
    expect((await values(array("numpy.core", "i4", [2, 3], data, true))).values).toEqual([1, 3, 5, 2, 4, 6]);
    const swapped = Uint8Array.of(0x3f, 0x80, 0, 0);
    expect((await values(array("numpy.core", "f4", [1], swapped, false, ">"))).values).toEqual([1]);
    const buffer = call("numpy._core.numeric", "_frombuffer", data, dtype("i4"), tuple(3, 2), "C");
    expect(await values(buffer, 5)).toEqual({ shape: [3, 2], values: [1, 2, 3, 4, 5, 6] });
  });

  it("refuses arrays that do not fit their shape, and those of objects", async () => {
    await expect(values(array("numpy.core", "f4", [2], new Uint8Array(4)))).rejects.toThrow("4 bytes");
    await expect(values(array("numpy.core", "O8", [1], new Uint8Array(8)))).rejects.toThrow("O8");
    await expect(values(array("numpy.core", "f4", [2 ** 40], new Uint8Array(4)))).rejects.toThrow("too large");
  });
});

describe("tensors", () => {
  /** The tensor called `additional_skips_weight`, or whichever has the given name, of a tiny snapshot. */
  async function read(name: string, write: (shape: readonly number[]) => Py, protocol = 4) {
    const fixed = (own: string, shape: readonly number[], data: Uint8Array) =>
      own === name ? write(shape) : tensor(storage("F32", data), 0, shape);
    const found = (await readSnapshot(await openSource(dump(snapshot(network("edm2", { write: fixed })), protocol))))
      .tensors;
    const wanted = [...found.values()].filter((t) => t.name.endsWith(`.${name}`))[0]!;
    const parts: Uint8Array[] = [];
    for await (const part of wanted.chunks()) parts.push(part);
    return { ...wanted, bytes: new Uint8Array(Buffer.concat(parts)) };
  }
  const count = (n: number) => Float32Array.from({ length: n }, (_, i) => i);
  const f32 = (n: number) => storage("F32", new Uint8Array(count(n).buffer));
  const asF32 = (bytes: Uint8Array) => [...new Float32Array(bytes.slice().buffer)];

  it("views are gathered in row-major order", async () => {
    const transposed = await read("phases", () => tensor(f32(20), 3, [2, 3], [1, 4]));
    expect(asF32(transposed.bytes)).toEqual([3, 7, 11, 4, 8, 12]);
    const repeated = await read("phases", () => tensor(f32(4), 1, [2, 3], [0, 1]));
    expect(asF32(repeated.bytes)).toEqual([1, 2, 3, 1, 2, 3]);
    const strided = await read("phases", () => tensor(f32(10), 0, [5], [2]));
    expect(asF32(strided.bytes)).toEqual([0, 2, 4, 6, 8]);
    const one = await read("phases", () => tensor(f32(10), 4, [1, 1], [99, 77]));
    expect(asF32(one.bytes)).toEqual([4]);
    expect((await read("phases", () => tensor(f32(10), 4, [0, 3], [3, 1]))).bytes).toHaveLength(0);
  });

  it("a view larger than one chunk keeps its order", async () => {
    const rows = 1500;
    const data = count(rows * 1000);
    const { bytes } = await read("phases", () =>
      tensor(storage("F32", new Uint8Array(data.buffer)), 0, [1000, rows], [1, 1000]),
    );
    const got = new Float32Array(bytes.buffer);
    expect(got.length * 4).toBeGreaterThan(CHUNK_BYTES);
    for (let i = 0; i < got.length; i += 997) expect(got[i]).toBe((i % rows) * 1000 + Math.floor(i / rows));
  });

  it.each(["legacy", "zip"] as const)(
    "storages of every float type in the %s container, in every protocol",
    async (container) => {
      const values = Float32Array.of(1, -2.5, 1024);
      const stored: [TorchDtype, ArrayBufferView][] = [
        ["F32", values],
        ["F64", Float64Array.from(values)],
        ["BF16", narrowBF16(values)],
        ["F16", Uint16Array.of(0x3c00, 0xc100, 0x6400)],
      ];
      for (const [dtype, data] of stored) {
        for (const protocol of [2, 3, 4, 5]) {
          const bytes = new Uint8Array(data.buffer);
          const found = await read("phases", () => tensor(storage(dtype, bytes, container), 0, [3]), protocol);
          expect(found.dtype).toBe(dtype);
          expect(found.bytes).toEqual(bytes);
        }
      }
    },
  );

  it("a view inside the legacy container, and a tensor of an untyped storage", async () => {
    const { legacyFile } = await import("../support/pickle-torch.js");
    const view = storageId("F32", "1", 8, tuple("2", 3, 2));
    const blob = legacyFile(view, [{ key: "1", dtype: "F32", data: new Uint8Array(count(8).buffer) }]);
    const inView = await read("phases", () => tensor(call("torch.storage", "_load_from_bytes", blob), 0, [2]));
    expect(asF32(inView.bytes)).toEqual([3, 4]);

    const untyped = torchZip(
      { persistentId: tuple("storage", { global: ["torch.storage", "UntypedStorage"] }, "0", "cpu", 8) },
      { "0": Uint8Array.of(0x3c, 0x3f, 0x80, 0x3f, 0x00, 0x40, 0x40, 0x40) },
    );
    const rebuilt = call(
      "torch._utils",
      "_rebuild_tensor_v3",
      call("torch.storage", "_load_from_bytes", untyped),
      1,
      tuple(3),
      tuple(1),
      false,
      orderedDict(),
      { global: ["torch", "bfloat16"] },
    );
    const found = await read("phases", () => rebuilt);
    expect(found.dtype).toBe("BF16");
    expect([...found.bytes]).toEqual([0x80, 0x3f, 0x00, 0x40, 0x40, 0x40]);
  });

  it("tensors with Python attributes around them", async () => {
    const args = tuple(f32(4), 1, tuple(2), tuple(1), false, orderedDict());
    const rebuild: Py = { global: ["torch._utils", "_rebuild_tensor_v2"] };
    const wrapped = call(
      "torch._tensor",
      "_rebuild_from_type_v2",
      rebuild,
      { global: ["my", "T"] },
      args,
      dict({ note: 1 }),
    );
    expect(asF32((await read("phases", () => wrapped)).bytes)).toEqual([1, 2]);
    const state = call(
      "torch._utils",
      "_rebuild_parameter_with_state",
      tensor(f32(4), 0, [1]),
      false,
      orderedDict(),
      dict({}),
    );
    expect(asF32((await read("phases", () => state)).bytes)).toEqual([0]);
  });

  it.each<[string, Py]>([
    ["beyond its storage", tensor(f32(4), 0, [5])],
    ["beyond its storage by its offset", tensor(f32(4), 2 ** 50, [1])],
    ["beyond its storage by its strides", tensor(f32(4), 0, [2, 2], [1, 3])],
    ["with a negative offset", tensor(f32(4), -1, [1])],
    ["with a negative stride", tensor(f32(4), 3, [2], [-1])],
    ["with a fractional size", tensor(f32(4), 0, [1.5])],
    ["with fewer strides than sizes", tensor(f32(4), 0, [1, 1], [1])],
    ["of more elements than can be counted", tensor(f32(4), 0, Array(16).fill(2 ** 20), Array(16).fill(0))],
    ["expanded beyond reason", tensor(f32(4), 0, [2 ** 36], [0])],
    ["with too many dimensions", tensor(f32(4), 0, Array(65).fill(1))],
    ["without a storage", tensor(null, 0, [1])],
    ["that is no tensor", parameter(dict({}))],
    ["of an unknown type", call("torch._utils", "_rebuild_sparse_tensor", 1)],
    [
      "whose storage is no torch file",
      tensor(call("torch.storage", "_load_from_bytes", Uint8Array.of(1, 2, 3)), 0, [1]),
    ],
    ["whose storage is a number", tensor(call("torch.storage", "_load_from_bytes", 5), 0, [1])],
    [
      "whose storage is inside a storage",
      tensor(call("torch.storage", "_load_from_bytes", dump(storage("F32", new Uint8Array(4)))), 0, [1]),
    ],
  ])("a tensor %s is refused", async (_what, value) => {
    await expect(read("phases", () => value)).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
  });

  it("the error names the tensor", async () => {
    await expect(read("phases", () => tensor(f32(4), 0, [5]))).rejects.toMatchObject({
      message: expect.stringMatching(
        /^'\(bytes\)' cannot be converted: tensor '\w.*phases': it reaches element 4 of a storage of 4/,
      ),
    });
  });
});

describe("memory", () => {
  it("bytes written as text are decoded in pieces, from anywhere", async () => {
    const bytes = Uint8Array.from({ length: 3 * 2 ** 20 }, (_, i) => (i * 2654435761) >>> 24);
    const encoded = await openSource(new TextEncoder().encode(Buffer.from(bytes).toString("latin1")));
    let largest = 0;
    const watched: ByteSource = {
      ...encoded,
      read: (at, n) => encoded.read(at, n).finally(() => (largest = Math.max(largest, n))),
    };
    const source = await Latin1Source.open(watched);
    expect(source.size).toBe(bytes.length);
    for (const [offset, length] of [
      [0, 10],
      [2 ** 20 - 5, 2 ** 20],
      [bytes.length - 7, 7],
      [1234567, 0],
    ] as const) {
      expect(Buffer.compare(await source.read(offset, length), bytes.subarray(offset, offset + length))).toBe(0);
    }
    expect(largest).toBeLessThanOrEqual(2 ** 20 + 1);
  });

  it("of a file of 3 GiB only small pieces are read at a time", async () => {
    // One tensor of 3 GiB in a storage of its own. The file is made up as it is read: zeros where the storage is.
    const { before, hole, after } = hollow((3 * 2 ** 30) / 4, (blob) => {
      const write = (name: string, shape: readonly number[], data: Uint8Array) =>
        name === "additional_skips_weight"
          ? tensor(blob, 0, [(3 * 2 ** 30) / 4])
          : tensor(storage("F32", data), 0, shape);
      return snapshot(network("ncvsd", { write }));
    });
    const size = before.length + hole + after.length;
    let largest = 0;
    let total = 0;
    const source: ByteSource = {
      name: "large.pkl",
      size,
      async read(offset, length) {
        largest = Math.max(largest, length);
        total += length;
        const out = Buffer.alloc(length);
        if (offset < before.length) out.set(before.subarray(offset, offset + length));
        const tail = before.length + hole;
        if (offset + length > tail)
          out.set(after.subarray(Math.max(0, offset - tail), offset + length - tail), Math.max(0, tail - offset));
        return out;
      },
      async close() {},
    };
    const { tensors } = await readSnapshot(source);
    expect(total).toBeLessThan(4 * 2 ** 20);
    const large = tensors.get("dec.additional_skips_weight")!;
    expect(large.byteLength).toBe(hole);
    let seen = 0;
    for await (const chunk of large.chunks()) {
      seen += chunk.length;
      if (seen > 64 * 2 ** 20) break;
    }
    expect(largest).toBeLessThanOrEqual(CHUNK_BYTES);
  });
});

describe("the search for the network", () => {
  const found = async (value: Py) => (await readSnapshot(await openSource(dump(value)))).architecture;

  it("takes ema, and what other files call it where there is none", async () => {
    const edm2 = network("edm2");
    expect(await found(dict({ net: network("ncvsd"), ema: edm2 }))).toBe("edm2");
    expect(await found(dict({ ema: null, model: edm2 }))).toBe("edm2");
    expect(await found(edm2)).toBe("edm2");
    expect(
      await found(dict({ ema: instance("my", "Wrapper", dict({ _modules: orderedDict({ module: edm2 }) })) })),
    ).toBe("edm2");
    // Averages of another kind are no reason to take the weights from before averaging.
    await expect(found(dict({ ema: dict({ stds: [0.05] }), net: edm2 }))).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
    });
  });
});

describe("discriminators", () => {
  it("are recognised and refused", async () => {
    const part = persistent("UNetEncoder", { _modules: orderedDict() });
    const net = persistent("DiscriminatorCondition", { _modules: orderedDict({ ctrl: part, enc: part }) });
    await expect(readSnapshot(await openSource(dump(snapshot(net))))).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringContaining("discriminator"),
    });
  });
});
