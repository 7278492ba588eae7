/** What torch writes, byte by byte: storages in both containers, tensors, and a whole small EDM2 or NCVSD snapshot. */

import { OP } from "../../src/checkpoint/unpickle/opcodes.js";
import { DTYPE_BYTES, type TorchDtype } from "../../src/checkpoint/unpickle/values.js";
import type { NetworkConfig } from "../../src/networks/edm2/arguments.js";
import { expectedTensors } from "../../src/networks/edm2/names.js";
import {
  call,
  concat,
  dict,
  dump,
  easyDict,
  instance,
  orderedDict,
  type Py,
  persistent,
  tuple,
  u32,
  u64,
} from "./pickle-asm.js";

const STORAGE_CLASSES: Partial<Record<TorchDtype, string>> = {
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
  F32: "FloatStorage",
  F64: "DoubleStorage",
  I64: "LongStorage",
};

export const storageId = (dtype: TorchDtype, key: string, elements: number, ...view: Py[]): Py => ({
  persistentId: tuple("storage", { global: ["torch", STORAGE_CLASSES[dtype]!] }, key, "cpu", elements, ...view),
});

/** The legacy container around one object with its storages. */
export function legacyFile(object: Py, storages: readonly { key: string; dtype: TorchDtype; data: Uint8Array }[]) {
  const platform = dict({
    protocol_version: 1001,
    little_endian: true,
    type_sizes: dict({ short: 2, int: 4, long: 4 }),
  });
  return concat([
    dump(0x1950a86a20f9469cfc6cn, 2),
    dump(1001, 2),
    dump(platform, 2),
    dump(object, 2),
    dump(
      storages.map((s) => s.key),
      2,
    ),
    ...storages.flatMap(({ dtype, data }) => [u64(data.length / DTYPE_BYTES[dtype]), data]),
  ]);
}

interface ZipOptions {
  /** Override what the directory says, for hostile archives. */
  method?: number;
  size?: number;
  /** CRC-32 of a member; default: 0, as torch writes where it is asked to leave it out. */
  crc?: (data: Uint8Array) => number;
  /** Raw deflate. */
  pack?: (data: Uint8Array) => Uint8Array;
}

/** A zip archive of stored or deflated members. */
export function zipFile(members: Record<string, Uint8Array>, options: ZipOptions = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  const u16 = (n: number) => Uint8Array.of(n & 255, n >>> 8);
  const method = options.method ?? (options.pack ? 8 : 0);
  let at = 0;
  for (const [name, content] of Object.entries(members)) {
    const bytes = new TextEncoder().encode(name);
    const data = options.pack?.(content) ?? content;
    const sizes = concat([u32(data.length), u32(options.size ?? content.length)]);
    const crc = u32(options.crc?.(content) ?? 0);
    const common = concat([u16(0), u16(method), u32(0), crc, sizes, u16(bytes.length), u16(0)]);
    const local = concat([u32(0x04034b50), u16(20), common, bytes, data]);
    directory.push(concat([u32(0x02014b50), u16(20), u16(20), common, u16(0), u16(0), u16(0), u32(0), u32(at), bytes]));
    parts.push(local);
    at += local.length;
  }
  const central = concat(directory);
  const count = u16(directory.length);
  const end = concat([u32(0x06054b50), u32(0), count, count, u32(central.length), u32(at), u16(0)]);
  return concat([...parts, central, end]);
}

/** `torch.save` in the zip container. */
export function torchZip(object: Py, storages: Record<string, Uint8Array>): Uint8Array {
  const data = Object.entries(storages).map(([key, bytes]) => [`archive/data/${key}`, bytes] as const);
  return zipFile({
    "archive/data.pkl": dump(object, 2),
    "archive/byteorder": Buffer.from("little"),
    ...Object.fromEntries(data),
  });
}

/** A storage inside a plain pickle. */
export function storage(dtype: TorchDtype, data: Uint8Array, container: "legacy" | "zip" = "legacy"): Py {
  const elements = data.length / DTYPE_BYTES[dtype];
  const blob =
    container === "legacy"
      ? legacyFile(storageId(dtype, "94", elements, null), [{ key: "94", dtype, data }])
      : torchZip(storageId(dtype, "0", elements), { "0": data });
  return call("torch.storage", "_load_from_bytes", blob);
}

/** Row-major strides. */
export function contiguous(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
}

export const tensor = (from: Py, offset: number, shape: readonly number[], strides = contiguous(shape)): Py =>
  call("torch._utils", "_rebuild_tensor_v2", from, offset, tuple(...shape), tuple(...strides), false, orderedDict());

export const parameter = (value: Py): Py => call("torch._utils", "_rebuild_parameter", value, false, orderedDict());

/**
 * A pickle with one F32 storage of zeros that nobody holds in memory: `hole` bytes of it lie between `before` and `after`.
 * @param make the pickled object, given what stands for the storage
 */
export function hollow(elements: number, make: (blob: Py) => Py) {
  const marker = Buffer.from("@@HERE@@");
  const template = Buffer.from(dump(make(call("torch.storage", "_load_from_bytes", new Uint8Array(marker)))));
  const at = template.indexOf(marker);
  const hole = 4 * elements;
  const head = concat([
    legacyFile(storageId("F32", "0", elements, null), []).slice(0, -NO_KEYS.length),
    ONE_KEY,
    u64(elements),
  ]);
  // SHORT_BINBYTES 8 becomes BINBYTES8 of the whole storage file.
  const blob = concat([Uint8Array.of(OP.BINBYTES8), u64(head.length + hole), head]);
  return {
    before: concat([template.subarray(0, at - 2), blob]),
    hole,
    after: new Uint8Array(template.subarray(at + marker.length)),
  };
}

const NO_KEYS = dump([], 2);
const ONE_KEY = dump(["0"], 2);

/** The arguments of a network as small as they go: one level of 2 x 2 pixels, 16 tensors (edm2). */
export const TINY = {
  img_resolution: 2,
  img_channels: 1,
  label_dim: 0,
  model_channels: 2,
  channel_mult: [1],
  num_blocks: 0,
  attn_resolutions: [],
  logvar_channels: 2,
};

/** TINY with the reference's defaults written out. */
export const TINY_COMPLETE = {
  ...TINY,
  channel_mult_noise: null,
  channel_mult_emb: null,
  label_balance: 0.5,
  concat_balance: 0.5,
  resample_filter: [1, 1],
  channels_per_head: 64,
  res_balance: 0.3,
  attn_balance: 0.3,
  clip_act: 256,
  sigma_data: 0.5,
};

/** Tensors with more elements get no values. */
const MANY = 2 ** 20;

/** Values of every tensor of the tiny network, as raw bytes: a count through all of them, so that none is like another. */
export function tinyTensors(
  architecture: "edm2" | "ncvsd",
  config: NetworkConfig = TINY_COMPLETE,
): Map<string, { shape: number[]; data: Uint8Array }> {
  let next = 0;
  const out = new Map<string, { shape: number[]; data: Uint8Array }>();
  for (const [name, shape] of expectedTensors(architecture, config)) {
    const count = shape.reduce((product, extent) => product * extent, 1);
    const values = Float32Array.from({ length: count > MANY ? 0 : count }, () => ++next / 8);
    out.set(name, { shape, data: new Uint8Array(values.buffer) });
  }
  return out;
}

export interface SnapshotOptions {
  /** How a tensor is written; default: an F32 storage of its own, in the legacy container. */
  write?: (name: string, shape: readonly number[], data: Uint8Array) => Py;
  /** `_init_kwargs` of the network; null: no persistence record at all. */
  kwargs?: Record<string, Py> | null;
  /** What the tensors' shapes follow; default: TINY_COMPLETE. */
  config?: NetworkConfig;
  args?: readonly Py[];
  /** More attributes of the network's state, of the state of its parts, and of its blocks (a function is asked each time). */
  state?: Record<string, Py>;
  parts?: Record<string, Py>;
  blocks?: Record<string, Py | (() => Py)>;
}

/** The module tree of a state_dict, every module persistent but for module dicts, as the reference's are. */
function moduleTree(
  className: string,
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Uint8Array }>,
  write: NonNullable<SnapshotOptions["write"]>,
  more: (path: string) => Record<string, Py>,
  path = "",
): Py {
  const own: Record<string, Py> = {};
  const children = new Map<string, Map<string, { shape: readonly number[]; data: Uint8Array }>>();
  for (const [name, value] of tensors) {
    const dot = name.indexOf(".");
    if (dot < 0) own[name] = write(name, value.shape, value.data);
    else {
      const child = children.get(name.slice(0, dot)) ?? new Map();
      children.set(name.slice(0, dot), child.set(name.slice(dot + 1), value));
    }
  }
  // freqs and phases are buffers, everything else is a parameter; beside them one buffer that is not saved.
  const isBuffer = "freqs" in own;
  const modules = [...children].map(([name, child]) => {
    return [name, moduleTree("Module", child, write, more, `${path}/${name}`)] as const;
  });
  return persistent(className, {
    training: false,
    _parameters: orderedDict(
      isBuffer ? { bias: null } : Object.fromEntries(Object.entries(own).map(([k, v]) => [k, parameter(v)])),
    ),
    _buffers: orderedDict(isBuffer ? { ...own, scratch: write("scratch", [1], new Uint8Array(4)) } : {}),
    _non_persistent_buffers_set: { set: isBuffer ? ["scratch"] : [] },
    _backward_hooks: orderedDict(),
    _modules: orderedDict({ ...Object.fromEntries(modules), nothing: null }),
    ...more(path),
  });
}

/** The network object of a snapshot. */
export function network(architecture: "edm2" | "ncvsd", options: SnapshotOptions = {}): Py {
  const { kwargs = TINY, args = [], state = {} } = options;
  const write = options.write ?? ((_name, shape, data) => tensor(storage("F32", data), 0, shape));
  const record: Record<string, Py> = kwargs ? { _init_args: tuple(...args), _init_kwargs: dict(kwargs) } : {};
  const attributes = (path: string): Record<string, Py> => {
    if (path === "") return { ...state, ...record };
    if (/^\/(unet|ctrl|enc|dec)$/.test(path)) return options.parts ?? {};
    if (!/\/\d+x\d+_(block|in|up|down)\d*$/.test(path)) return {};
    const entries = Object.entries(options.blocks ?? {});
    return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === "function" ? value() : value]));
  };
  const className = architecture === "edm2" ? "Precond" : "PrecondCondition";
  const tree = moduleTree(className, tinyTensors(architecture, options.config), write, attributes);
  if (architecture === "edm2") return tree;
  const around = { _parameters: orderedDict(), _modules: orderedDict({ model: tree }), init_sigma: 70, gamma: 0.25 };
  return instance("training.networks_edm2", "GenerativeDenoiser", dict(around));
}

/** A snapshot as the training loop writes it. */
export const snapshot = (ema: Py, more: Record<string, Py> = {}): Py =>
  easyDict({
    encoder: persistent("StandardRGBEncoder", { _init_args: tuple(), _init_kwargs: dict({}) }),
    dataset_kwargs: easyDict({ path: "pictures.zip" }),
    loss_fn: instance("training.training_loop", "LogNormalNoiseSampler", dict({ P_mean: -0.4 })),
    ema,
    ...more,
  });
