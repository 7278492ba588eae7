import { describe, expect, it } from "vitest";
import { openSource } from "../../src/checkpoint/index.js";
import { OP } from "../../src/checkpoint/unpickle/opcodes.js";
import { convertedChunks, planConversion } from "../../src/cli/convert.js";
import { NcvsdError } from "../../src/errors.js";
import {
  call,
  concat,
  dict,
  dump,
  instance,
  orderedDict,
  PickleAsm,
  type Py,
  persistent,
  tuple,
  u32,
  u64,
} from "../support/pickle-asm.js";
import { network, snapshot, storage, storageId, TINY, tensor, torchZip, zipFile } from "../support/pickle-torch.js";

/** Everything that `convert` does but the writing. */
async function convert(bytes: Uint8Array): Promise<number> {
  const source = await openSource(bytes);
  const { order } = await planConversion(source);
  let written = 0;
  for (const item of order) for await (const chunk of convertedChunks(item)) written += chunk.length;
  return written;
}

/** The file is refused with a clear error, within a second. */
async function expectRefused(bytes: Uint8Array, message: RegExp): Promise<void> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const error = await convert(bytes).catch((e) => e);
  const { user, system } = process.cpuUsage(cpu);
  // On a machine that others keep busy, the processor's time is what counts.
  const elapsed = Math.min(performance.now() - start, (user + system) / 1000);
  expect(error).toBeInstanceOf(NcvsdError);
  expect(error.code).toBe("BAD_CHECKPOINT");
  expect(error.message).toMatch(message);
  expect(error.message.length).toBeLessThan(500);
  expect(elapsed).toBeLessThan(1000);
}

/** The network is sound; what is hostile lies beside it, where a careless reader would not look. */
const beside = (value: Py) => snapshot(network("edm2"), { other: value });
const asm = () => new PickleAsm();

describe("calls", () => {
  const commands: [string, string][] = [
    ["os", "system"],
    ["posix", "system"],
    ["nt", "system"],
    ["subprocess", "Popen"],
    ["builtins", "eval"],
    ["builtins", "exec"],
    ["__builtin__", "eval"],
    ["builtins", "getattr"],
    ["builtins", "__import__"],
    ["importlib", "import_module"],
    ["runpy", "run_path"],
    ["pickle", "loads"],
    ["os.path", "os.system"],
    ["torch.serialization", "os.system"],
    ["operator", "attrgetter"],
    ["_io", "open"],
    ["socket", "create_connection"],
    ["webbrowser", "open"],
    ["copyreg", "__newobj__"],
  ];
  it.each(commands)("REDUCE on %s.%s is refused beside a network, in every protocol", async (module, name) => {
    for (const protocol of [2, 3, 4, 5]) {
      await expectRefused(
        dump(beside(call(module, name, "echo hello")), protocol),
        /asks to run \S+, which no network needs/,
      );
    }
    await expectRefused(dump(beside({ cls: { global: [module, name] }, args: ["echo hello"] })), /asks to run/);
  });

  it("a call as the network itself, as a constructor argument, as a tensor", async () => {
    const attack = call("os", "system", "echo hello");
    await expectRefused(dump(snapshot(attack)), /os\.system/);
    await expectRefused(dump(attack), /os\.system/);
    await expectRefused(dump(snapshot(network("edm2", { kwargs: { ...TINY, sigma_data: attack } }))), /os\.system/);
    await expectRefused(dump(snapshot(network("edm2", { write: () => attack }))), /os\.system/);
  });

  it("through the storages of tensors", async () => {
    const blob = call("torch.storage", "_load_from_bytes", dump(call("os", "system", "echo hello"), 2));
    await expectRefused(dump(snapshot(network("edm2", { write: () => tensor(blob, 0, [1]) }))), /os\.system/);
  });

  it("of the result of a call, or of something that is no function", async () => {
    const twice = asm().value(call("a.b", "c")).op(OP.EMPTY_TUPLE).op(OP.REDUCE).stop();
    await expectRefused(twice, /not a global/);
    await expectRefused(asm().text("os.system").op(OP.EMPTY_TUPLE).op(OP.REDUCE).stop(), /not a global/);
    await expectRefused(asm().global("a", "b").text("x").op(OP.REDUCE).stop(), /tuple of arguments/);
  });

  it("of unknown packages are records: the network beside them converts, and nothing has run", async () => {
    const harmless = [call("some.package", "function", 1), instance("some.package", "Class", dict({ a: 1 }))];
    expect(await convert(dump(beside(harmless)))).toBe(await convert(dump(snapshot(network("edm2")))));
  });

  it("hostile names do not spoil the message", async () => {
    await expectRefused(
      dump(beside(call("os", `\u001b[31m\n${"x".repeat(4000)}`))),
      /asks to run os\.\?\[31m\?x+\.\.\.,/,
    );
  });
});

describe("opcodes", () => {
  it.each<[string, PickleAsm, RegExp]>([
    ["EXT1", asm().op(0x82, 1), /EXT1 \(extension registry\)/],
    ["EXT2", asm().op(0x83, 1, 0), /EXT2/],
    ["EXT4", asm().op(0x84, u32(1)), /EXT4/],
    ["persistent ids", asm().text("x").op(OP.BINPERSID), /persistent ids are refused/],
    ["persistent ids of protocol 0", asm().op(0x50, Buffer.from("x\n")), /PERSID/],
    ["INST", asm().op(0x69, Buffer.from("os\nsystem\n")), /INST \(protocol 0\)/],
    ["OBJ", asm().op(0x6f), /OBJ \(protocol 1\)/],
    ["out-of-band buffers", asm().op(0x97), /NEXT_BUFFER/],
    ["a second PROTO", asm().op(0x80, 4), /PROTO in the middle/],
    ["a byte that is none", asm().op(0xff), /0xff is no pickle opcode/],
    ["STOP on an empty stack", asm(), /stack empty/],
    ["STOP with values left", asm().op(OP.NONE).op(OP.NONE), /leaves values/],
    ["a pop through a mark", asm().op(OP.NONE).op(OP.MARK).op(OP.TUPLE1), /stack empty/],
    ["items without a mark", asm().op(OP.EMPTY_LIST).op(OP.APPENDS), /no mark/],
    ["an unknown memo entry", asm().op(OP.BINGET, 7), /memo entry 7/],
    ["APPEND to a number", asm().number(1).number(2).op(OP.APPEND), /APPEND without a list/],
    ["SETITEM on a list", asm().op(OP.EMPTY_LIST).number(1).number(2).op(OP.SETITEM), /SETITEMS without a dict/],
    ["an odd number of items", asm().op(OP.EMPTY_DICT).op(OP.MARK).number(1).op(OP.SETITEMS), /no value/],
    ["BUILD on a number", asm().number(1).number(2).op(OP.BUILD), /BUILD/],
    ["a global named by a number", asm().number(1).number(2).op(OP.STACK_GLOBAL), /not named by text/],
    ["a GLOBAL line without end", asm().op(OP.GLOBAL, new Uint8Array(2 ** 20).fill(97)), /longer than 512 bytes/],
  ])("%s", async (_what, pickle, message) => {
    await expectRefused(pickle.stop(), message);
  });

  it("pickles of protocols 0, 1 and 6", async () => {
    await expectRefused(Buffer.from("(lp0\nI1\na."), /pickle of protocol 0 or 1.*save it again with protocol 2/);
    await expectRefused(Uint8Array.of(OP.EMPTY_DICT, OP.STOP), /no pickle of protocol 2 to 5/);
    await expectRefused(Uint8Array.of(OP.PROTO, 6, OP.NONE, OP.STOP), /protocol 6/);
  });
});

describe("sizes", () => {
  it.each<[string, PickleAsm, RegExp]>([
    ["bytes of 2^63", asm().op(OP.BINBYTES8, u64(2n ** 63n)), /promises \d+ bytes/],
    ["bytes of 2^64 - 1", asm().op(OP.BINBYTES8, u64(2n ** 64n - 1n)), /promises/],
    ["a bytearray of 2^40", asm().op(OP.BYTEARRAY8, u64(2 ** 40)), /promises/],
    ["bytes of 4 GiB", asm().op(OP.BINBYTES, u32(0xffffffff)), /promises/],
    ["text of 4 GiB", asm().op(OP.BINUNICODE, u32(0xffffffff)), /promises/],
    ["text of 2^62", asm().op(OP.BINUNICODE8, u64(2n ** 62n)), /promises/],
    ["a string of negative length", asm().op(OP.BINSTRING, u32(0xffffffff)), /length -1/],
    ["a frame of 2^63", asm().op(OP.FRAME, u64(2n ** 63n)), /frame of/],
    ["an integer of 2 GiB", asm().op(OP.LONG4, u32(0x7fffffff)), /integer has 2147483647 bytes/],
    ["an integer of negative length", asm().op(OP.LONG4, u32(0xffffffff)), /integer has -1 bytes/],
  ])("%s", async (_what, pickle, message) => {
    await expectRefused(pickle.stop(), message);
  });

  it("too many opcodes", async () => {
    const noise = asm().repeat(1_100_000, OP.EMPTY_DICT, OP.POP).op(OP.NONE).stop();
    await expectRefused(noise, /more than 1000000 opcodes/);
  });

  it("too much text", async () => {
    const pickle = asm();
    const text = new Uint8Array(4096).fill(97);
    for (let i = 0; i < 17_000; i++) pickle.op(OP.BINUNICODE, u32(4096), text).op(OP.POP);
    await expectRefused(pickle.op(OP.NONE).stop(), /bytes of text/);
  });
});

describe("nesting", () => {
  it.each<[string, PickleAsm]>([
    ["lists", asm().repeat(300_000, OP.EMPTY_LIST).repeat(299_999, OP.APPEND)],
    ["tuples", asm().op(OP.NONE).repeat(300_000, OP.TUPLE1)],
    ["marks", asm().repeat(300_000, OP.MARK).repeat(300_000, OP.TUPLE)],
  ])("%s inside one another", async (_what, pickle) => {
    await expectRefused(pickle.stop(), /(nests more than|open marks)/);
  });

  it("of constructor arguments", async () => {
    let deep: Py = [];
    for (let i = 0; i < 100; i++) deep = [deep];
    await expectRefused(
      dump(snapshot(network("edm2", { kwargs: { ...TINY, channel_mult: deep } }))),
      /larger than any argument/,
    );
  });
});

describe("memo bombs", () => {
  /** A value that refers to the one before twice, over and over: 2^60 leaves in a few hundred bytes. */
  function doubled(start: Py, twice: (value: Py) => Py): Py {
    let value = start;
    for (let i = 0; i < 60; i++) value = twice(value);
    return value;
  }

  it("beside the network do no harm", async () => {
    const bomb = doubled(["lol"], (value) => [value, value]);
    expect(await convert(dump(beside(bomb)))).toBeGreaterThan(0);
  });

  it("as constructor argument", async () => {
    const bomb = doubled([1], (value) => [value, value]);
    await expectRefused(
      dump(snapshot(network("edm2", { kwargs: { ...TINY, channel_mult: bomb } }))),
      /larger than any argument/,
    );
    const wide: Py = Array(70).fill(Array(70).fill(1));
    await expectRefused(
      dump(snapshot(network("edm2", { kwargs: { ...TINY, channel_mult: wide } }))),
      /larger than any argument/,
    );
  });

  it("of modules", async () => {
    const leaf = persistent("MPConv", {
      _parameters: orderedDict({ w: tensor(storage("F32", new Uint8Array(4)), 0, [1]) }),
      _modules: orderedDict(),
    });
    const tree = doubled(leaf, (child) => persistent("Pair", { _modules: orderedDict({ a: child, b: child }) }));
    const net = persistent("Precond", { _modules: orderedDict({ unet: tree }) });
    await expectRefused(dump(snapshot(net)), /more than \d+ (modules|tensors)/);
    const wrappers = doubled(persistent("Leaf", { _modules: orderedDict() }), (child) =>
      persistent("Wrapper", { _modules: orderedDict({ a: child, b: child }) }),
    );
    await expectRefused(dump(snapshot(wrappers)), /no EDM2 Precond/);
  });

  it("of modules with very many entries", async () => {
    const table: Record<string, Py> = {};
    for (let i = 0; i < 50_000; i++) table[`n${i}`] = null;
    const leaf = persistent("Leaf", { _parameters: orderedDict(table), _modules: orderedDict() });
    const children: Record<string, Py> = {};
    for (let i = 0; i < 1000; i++) children[`c${i}`] = leaf;
    const net = persistent("Precond", {
      _modules: orderedDict({ unet: persistent("UNet", { _modules: orderedDict(children) }) }),
    });
    await expectRefused(dump(snapshot(net)), /more than \d+ entries/);
  });

  it("of sets made from one long list", async () => {
    const pickle = asm()
      .op(OP.EMPTY_LIST)
      .op(OP.MEMOIZE)
      .op(OP.MARK)
      .repeat(100_000, OP.NONE)
      .op(OP.APPENDS)
      .op(OP.POP);
    pickle.global("builtins", "set").op(OP.MEMOIZE).op(OP.POP).op(OP.MARK);
    pickle.repeat(100_000, OP.BINGET, 1, OP.BINGET, 0, OP.TUPLE1, OP.REDUCE).op(OP.TUPLE);
    await expectRefused(pickle.stop(), /no EDM2 Precond/);
  });

  it("of bytes written as text", async () => {
    const pickle = asm().text("x".repeat(4096)).op(OP.MEMOIZE).op(OP.POP).text("latin1").op(OP.MEMOIZE).op(OP.POP);
    pickle.global("_codecs", "encode").op(OP.MEMOIZE).op(OP.POP).op(OP.MARK);
    pickle.repeat(150_000, OP.BINGET, 2, OP.BINGET, 0, OP.BINGET, 1, OP.TUPLE2, OP.REDUCE).op(OP.TUPLE);
    await expectRefused(pickle.stop(), /no EDM2 Precond/);
    const long = asm()
      .text("x".repeat(2 ** 20))
      .op(OP.MEMOIZE)
      .op(OP.POP)
      .text("latin1")
      .op(OP.MEMOIZE)
      .op(OP.POP);
    long.global("_codecs", "encode").op(OP.MEMOIZE).op(OP.POP).op(OP.MARK);
    long.repeat(100_000, OP.BINGET, 2, OP.BINGET, 0, OP.BINGET, 1, OP.TUPLE2, OP.REDUCE).op(OP.TUPLE);
    await expectRefused(long.stop(), /no EDM2 Precond/);
  });

  it("of many tensors in one storage", async () => {
    const shared = storage("F32", new Uint8Array(2 ** 20));
    const many = network("edm2", { write: () => tensor(shared, 0, [2 ** 18]) });
    await expectRefused(dump(snapshot(many)), /more than 4 times the bytes of the file/);
  });

  it("of thousands of modules that share one dict of sub-modules", async () => {
    const state = dict({ _modules: dict(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [i, null]))) });
    const shared = Array.from({ length: 10_000 }, (_, i) => [`k${i}`, instance("x", "M", state)]);
    const unet = instance("x", "M", dict({ _modules: dict(Object.fromEntries(shared)) }));
    const net = instance("x", "M", dict({ _modules: dict({ unet }) }));
    await expectRefused(dump(net), /without the constructor arguments/);
  });

  it("of many storages in one archive", async () => {
    const blob = torchZip(storageId("F32", "0", 1), {
      "0": new Uint8Array(4),
      ...Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`x${i}`, new Uint8Array(1)])),
    });
    const write = () => tensor(call("torch.storage", "_load_from_bytes", blob), 0, [1]);
    const parameters: Record<string, Py> = {};
    for (let i = 0; i < 2000; i++) parameters[`p${i}`] = write();
    const net = persistent("Precond", {
      _parameters: orderedDict(parameters),
      _modules: orderedDict({ unet: persistent("UNet", { _modules: orderedDict() }) }),
    });
    await expectRefused(dump(snapshot(net)), /without the constructor arguments/);
  });
});

describe("objects inside themselves", () => {
  it("a module", async () => {
    // {"_modules": {"unet": <itself>}}, put together through the memo.
    const pickle = asm().op(OP.EMPTY_DICT).op(OP.MEMOIZE).text("ema");
    pickle.global("torch", "Net").op(OP.EMPTY_TUPLE).op(OP.NEWOBJ).op(OP.MEMOIZE);
    pickle.op(OP.EMPTY_DICT).text("_modules").op(OP.EMPTY_DICT).text("unet").op(OP.BINGET, 1);
    pickle.op(OP.SETITEM).op(OP.SETITEM).op(OP.BUILD).op(OP.SETITEM);
    await expectRefused(pickle.stop(), /inside one another/);
  });

  it("a snapshot, and a list of constructor arguments", async () => {
    const root = asm().op(OP.EMPTY_DICT).op(OP.MEMOIZE).text("ema").op(OP.BINGET, 0).op(OP.SETITEM);
    await expectRefused(root.stop(), /no EDM2 Precond/);
    const list: Py[] = [1];
    list.push(list);
    await expectRefused(
      dump(snapshot(network("edm2", { kwargs: { ...TINY, channel_mult: list } }))),
      /larger than any argument/,
    );
  });
});

describe("containers of torch", () => {
  const object = () => snapshot(network("edm2"));

  it("compressed archives, and archives that lie about sizes", async () => {
    await expectRefused(zipFile({ "archive/data.pkl": dump(object(), 2) }, { method: 8 }), /compressed/);
    await expectRefused(
      zipFile({ "archive/data.pkl": dump(object(), 2) }, { size: 0xfffffff0 }),
      /directory is damaged/,
    );
    await expectRefused(zipFile({ "archive/other": new Uint8Array(9) }), /no data\.pkl/);
    const good = torchZip(object(), {});
    expect(await convert(good)).toBeGreaterThan(0);
    await expectRefused(good.subarray(0, good.length - 30), /no directory/);
  });

  it("archives whose directory is anywhere, or as large as can be said", async () => {
    const good = Buffer.from(torchZip(object(), {}));
    const end = good.length - 22;
    for (const [at, value] of [
      [12, 0xfffffff0],
      [16, 0xfffffff0],
      [16, 1],
      [10, 0xffff],
    ] as const) {
      const bad = Buffer.from(good);
      if (at === 10) bad.writeUInt16LE(value, end + at);
      else bad.writeUInt32LE(value, end + at);
      await expectRefused(bad, /(directory|ends too early|members)/);
    }
    const zip64 = concat([good.subarray(0, end), u32(0x07064b50), u32(0), u64(2n ** 63n), u32(1), good.subarray(end)]);
    await expectRefused(zip64, /ends too early/);
  });

  it("storages that are missing, too short or of two types", async () => {
    const net = (id: () => Py) => snapshot(network("edm2", { write: (_n, shape) => tensor(id(), 0, shape) }));
    await expectRefused(
      torchZip(
        net(() => storageId("F32", "0", 100)),
        {},
      ),
      /missing/,
    );
    await expectRefused(
      torchZip(
        net(() => storageId("F32", "0", 2 ** 40)),
        { "0": new Uint8Array(400) },
      ),
      /only 400 bytes/,
    );
    let turn = 0;
    const mixed = net(() => storageId(turn++ % 2 ? "F32" : "F16", "0", 100));
    await expectRefused(torchZip(mixed, { "0": new Uint8Array(400) }), /two element types/);
  });

  it("persistent ids that are no storages", async () => {
    for (const id of [
      "x",
      tuple(),
      tuple("storage"),
      tuple("file", "/etc/passwd"),
      tuple("storage", { global: ["os", "system"] }, "0", "cpu", 1),
    ]) {
      await expectRefused(torchZip({ persistentId: id }, {}), /(persistent id|element type)/);
    }
  });
});

describe("damage", () => {
  it("a file cut short anywhere", async () => {
    const whole = dump(snapshot(network("edm2")));
    for (let length = 0; length < whole.length; length += 41) {
      const error = await convert(whole.subarray(0, length)).catch((e) => e);
      expect(error, `${length} bytes`).toMatchObject({ code: "BAD_CHECKPOINT" });
    }
  });
});
