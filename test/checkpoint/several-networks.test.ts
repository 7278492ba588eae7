import { describe, expect, it } from "vitest";
import { openSource } from "../../src/checkpoint/index.js";
import { readSnapshot } from "../../src/checkpoint/unpickle/snapshot.js";
import { call, dict, dump, instance, orderedDict, type Py } from "../support/pickle-asm.js";
import { network, storage, tensor, tinyTensors } from "../support/pickle-torch.js";

const shapes = tinyTensors("edm2");

/** A state_dict of the tiny network, every value `value`, under other names. */
function stateDict(value: number, rename = (name: string) => name): [string, Py][] {
  return [...shapes].map(([name, { shape }]) => {
    const elements = shape.reduce((a, b) => a * b, 1);
    const data = new Uint8Array(Float32Array.from({ length: elements }, () => value).buffer);
    return [rename(name), tensor(storage("F32", data), 0, shape)];
  });
}
const behind = (prefix: string) => (name: string) => prefix + name;
const weights = (value: number, rename?: (name: string) => string) =>
  orderedDict(Object.fromEntries(stateDict(value, rename)));
const both = (a: string, b: string) =>
  orderedDict(Object.fromEntries([...stateDict(1, behind(a)), ...stateDict(2, behind(b))]));

/** What is taken, and the value of one of its weights. */
async function taken(value: Py, select?: string) {
  const snapshot = await readSnapshot(await openSource(dump(value)), select);
  expect([...snapshot.tensors.keys()].sort()).toEqual([...shapes.keys()].sort());
  const values: number[] = [];
  for await (const chunk of snapshot.tensors.get("unet.out_conv.weight")!.chunks()) {
    values.push(new Float32Array(chunk.slice().buffer)[0]!);
  }
  return [snapshot.selected, values[0], snapshot.others];
}

describe("of a network and its average the average is taken, and both are named", () => {
  it.each<[string, Py, string, string[]]>([
    ["ema-pytorch", both("online_model.", "ema_model."), "ema_model", ["online_model"]],
    ["the average first", both("ema_model.", "online_model."), "ema_model", ["online_model"]],
    ["Lightning", dict({ state_dict: both("model.", "ema_model.") }), "state_dict.ema_model", ["state_dict.model"]],
    ["compiled", both("_orig_mod.model.", "ema._orig_mod.module."), "ema", ["model"]],
    ["two dicts", dict({ model: weights(1), model_ema: weights(2) }), "model_ema", ["model"]],
    [
      "ema-pytorch inside",
      dict({ model: weights(1), ema: both("online_model.", "ema_model.") }),
      "ema.ema_model",
      ["model", "ema.online_model"],
    ],
    [
      "the reference's, one length",
      dict({ net: weights(1), ema: dict({ stds: [0.05], emas: [weights(2)] }) }),
      "ema.emas.0",
      ["net"],
    ],
    ["modules", dict({ net: network("edm2"), ema: weights(2) }), "ema", ["net"]],
    ["averaged_model", both("module.", "averaged_model.module."), "averaged_model", ["(top)"]],
  ])("%s", async (what, value, name, others) => {
    const last = what === "the average first" ? 1 : 2;
    expect(await taken(value)).toEqual([name, last, others]);
    // Whatever is named as left out can be selected.
    for (const other of others) expect((await taken(value, other))[0]).toBe(other);
  });

  it("averages whose names lost their dots have the network's, and its random features", async () => {
    const flat = stateDict(2, (name) => `model_ema.${name.replaceAll(".", "")}`);
    const kept = flat.filter(([name]) => !/freqs|phases/.test(name));
    const value = orderedDict(Object.fromEntries([...stateDict(1, behind("model.")), ...kept]));
    expect(await taken(dict({ state_dict: value }))).toEqual(["state_dict.model_ema", 2, ["state_dict.model"]]);
  });

  it("averages of the parameters alone have the network's random features", async () => {
    const shadow = orderedDict(Object.fromEntries(stateDict(2).filter(([name]) => !/freqs|phases/.test(name))));
    const value = dict({ model: weights(1), ema: instance("my", "EMA", dict({ decay: 0.9, shadow })) });
    expect(await taken(value)).toEqual(["ema.shadow", 2, ["model"]]);
  });

  it("averages that are a list without names are in the order of the parameters", async () => {
    const list = stateDict(2)
      .filter(([name]) => !/freqs|phases/.test(name))
      .map(([, value]) => value);
    const ema = dict({ decay: 0.999, shadow_params: list });
    expect(await taken(dict({ model: weights(1), ema }))).toEqual(["ema.shadow_params", 2, ["model"]]);
    const short = dict({ decay: 0.999, shadow_params: list.slice(1) });
    await expect(taken(dict({ model: weights(1), ema: short }))).rejects.toThrow(
      /'model' and, under 'ema.shadow_params', an average .* --select/,
    );
    expect(await taken(dict({ model: weights(1), ema: short }), "model")).toEqual(["model", 1, ["ema.shadow_params"]]);
  });
});

describe("where nothing says which one is meant", () => {
  const state = dict({ net: weights(1), ema: dict({ stds: [0.05, 0.1], emas: [weights(2), weights(3)] }) });

  it("all are named, averages with their lengths, and --select chooses", async () => {
    await expect(taken(state)).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringMatching(/'net', 'ema\.emas\.0' \(std 0\.05\), 'ema\.emas\.1' \(std 0\.1\).*--select/),
    });
    expect(await taken(state, "ema.emas.1")).toEqual(["ema.emas.1", 3, ["net", "ema.emas.0"]]);
    expect((await taken(state, "emas.0"))[1]).toBe(2);
    expect((await taken(dict({ net: weights(1), ema: dict({ model: weights(2) }) }), "ema"))[0]).toBe("ema.model");
    await expect(taken(both("a.", "b."))).rejects.toThrow(/2 networks, 'a', 'b'/);
  });

  it("a name that is none of them is refused with the list", async () => {
    await expect(taken(state, "average")).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(/--select 'average' names none of its networks: 'net', 'ema\.emas\.0'/),
    });
    expect((await taken(both("a.", "b."), "b."))[1]).toBe(2);
  });

  it("an average that is no network is a reason to ask", async () => {
    await expect(taken(dict({ ema: dict({ stds: [0.05] }), net: weights(1) }))).rejects.toThrow(/under 'ema'/);
    expect((await taken(dict({ ema: null, net: weights(1), ema_decay: 0.9 })))[0]).toBe("net");
  });
});

describe("values of common programs beside a network are records", () => {
  const member = call("__builtin__", "getattr", { global: ["project.config", "Mode"] }, "A");
  it.each<[string, Py]>([
    ["a path of Python 3.13", call("pathlib._local", "PosixPath", "/", "data")],
    ["a range", call("__builtin__", "xrange", 0, 3, 1)],
    ["a member of an enumeration, as Python 3.11 writes it", member],
    ["one of the standard library", call("builtins", "getattr", { global: ["http", "HTTPStatus"] }, "OK")],
    ["an object of a class inside a class", instance("project", "Outer.Inner", dict({ a: 1 }))],
    ["an object of somebody's folder called code", call("code.model", "Net", 1)],
    ["a logger", call("logging", "getLogger", "train")],
    ["a regular expression", call("re", "_compile", "a+b", 2)],
    ["a generic alias", call("operator", "getitem", { global: ["typing", "List"] }, { global: ["builtins", "int"] })],
    ["a union", call("functools", "reduce", { global: ["_operator", "or_"] }, [{ global: ["builtins", "int"] }])],
    ["a type of a constant", call("builtins", "type", null)],
    ["a struct_time", call("time", "struct_time", [1, 2], dict({}))],
    ["an error of Python 2", call("exceptions", "ValueError", "no")],
    ["an OrderedDict of Python 2", call("collections", "OrderedDict", [["a", 1]])],
    ["a status of a file", call("os", "stat_result", [1, 2])],
  ])("%s", async (_what, extra) => {
    expect((await taken(dict({ model: weights(1), run: dict({ extra }) })))[0]).toBe("model");
  });

  it("a state_dict of Python 2, whose OrderedDict is a call with pairs, keeps its entries", async () => {
    const pairs = stateDict(3);
    expect(await taken(dict({ state_dict: call("collections", "OrderedDict", pairs) }))).toEqual(["state_dict", 3, []]);
  });

  it.each<[string, Py, RegExp]>([
    [
      "os.system through getattr",
      call("builtins", "getattr", { global: ["os", "path"] }, "join"),
      /under 'run\.extra'/,
    ],
    [
      "a call of what getattr gives",
      { cls: { global: ["torch.serialization", "os.system"] }, args: ["x"] },
      /os\.system/,
    ],
    ["a program", call("os", "system", "x"), /under 'run\.extra' it asks to run os\.system.*do not open/],
    ["a class made by type", call("builtins", "type", "A", [], dict({})), /builtins\.type/],
    [
      "a reduce of anything else",
      call("functools", "reduce", { global: ["os", "system"] }, ["x"]),
      /functools\.reduce/,
    ],
    ["a module that holds more than data", call("random", "_os.system", "x"), /random\._os\.system/],
  ])("%s is refused, with its place", async (_what, extra, message) => {
    await expect(taken(dict({ model: weights(1), run: dict({ note: "a", extra }) }))).rejects.toThrow(message);
  });

  it("a refusal of something harmless says how to save the file without it, and calls nothing an attack", async () => {
    const value = dict({ model: weights(1), hooks: dict({ 1: call("weakref", "ref", 1) }) });
    await expect(taken(value)).rejects.toThrow(
      /weakref\.ref, which no network needs: if you trust its author, save it anew/,
    );
  });
});
