import { PickleError } from "./limits.js";
import { buildArray, buildDtype, latin1Bytes, numpyDtype, numpyFromBuffer, numpyScalar } from "./numpy.js";
import { Latin1Source, SliceSource } from "./sources.js";
import { STANDARD_LIBRARY } from "./stdlib.js";
import { rebuildFromType, rebuildTensorV2, rebuildTensorV3 } from "./tensors.js";
import {
  PyArray,
  PyBytes,
  PyDict,
  PyDtype,
  PyGlobal,
  PyList,
  PyObject,
  PyPersistent,
  PySet,
  PyStorageBlob,
  PyTensor,
  PyText,
  PyTuple,
  type PyValue,
} from "./values.js";

type Args = readonly PyValue[];
type Meaning = (args: Args) => PyValue | Promise<PyValue>;

/** Python 2 names of modules that protocol 2 writes even under Python 3. */
const OLD_MODULES: Record<string, string> = { __builtin__: "builtins", copy_reg: "copyreg" };

/** Classes that are read as a plain dict. */
const DICTS = new Set([
  "collections.OrderedDict",
  "collections.defaultdict",
  "builtins.dict",
  "dnnlib.util.EasyDict",
  "dnnlib.EasyDict",
]);

/** The callables whose meaning is known: what REDUCE on each of them stands for. Nothing else is given a meaning. */
const KNOWN = new Map<string, Meaning>([
  ["_codecs.encode", encode],
  ["builtins.bytearray", bytesOf],
  ["builtins.bytes", bytesOf],
  ["builtins.frozenset", setOf],
  ["builtins.set", setOf],
  ["copyreg._reconstructor", ([cls]) => newObject(cls ?? null, new PyTuple([]))],
  ["numpy.dtype", numpyDtype],
  ["torch.Size", ([items]) => (items instanceof PyTuple ? items : fail("torch.Size without a tuple"))],
  ["torch.storage._load_from_bytes", storageBlob],
  ["torch._tensor._rebuild_from_type_v2", (args) => rebuildFromType(args, reduce)],
  ["torch._utils._rebuild_parameter", ([data]) => asTensor(data)],
  ["torch._utils._rebuild_parameter_with_state", ([data]) => asTensor(data)],
  ["torch._utils._rebuild_tensor", rebuildTensorV2],
  ["torch._utils._rebuild_tensor_v2", rebuildTensorV2],
  ["torch._utils._rebuild_tensor_v3", rebuildTensorV3],
  ["torch_utils.persistence._reconstruct_persistent_obj", persistent],
  // NumPy 2 moved its private modules.
  ...["numpy.core", "numpy._core"].flatMap((core): [string, Meaning][] => [
    [`${core}.multiarray._reconstruct`, () => new PyArray()],
    [`${core}.multiarray.scalar`, numpyScalar],
    [`${core}.numeric._frombuffer`, numpyFromBuffer],
  ]),
]);

/** Standard library classes that are pure data: kept as inert records like the classes of unknown packages. */
const HARMLESS = new Set([
  ...["complex", "list", "object", "range", "slice", "tuple"].map((name) => `builtins.${name}`),
  ...["Counter", "deque"].map((name) => `collections.${name}`),
  ...["date", "datetime", "time", "timedelta", "timezone"].map((name) => `datetime.${name}`),
  ...["Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath"].map((n) => `pathlib.${n}`),
  "argparse.Namespace",
  "decimal.Decimal",
  "fractions.Fraction",
  "functools.partial",
  "types.SimpleNamespace",
  "uuid.UUID",
]);

/** REDUCE: what a call of `callee` would have made, as data. */
export function reduce(callee: PyValue, args: PyValue): PyValue | Promise<PyValue> {
  if (!(callee instanceof PyGlobal)) throw new PickleError("REDUCE calls something that is not a global");
  if (!(args instanceof PyTuple)) throw new PickleError(`REDUCE calls ${shown(callee)} without a tuple of arguments`);
  const name = modernName(callee);
  const known = KNOWN.get(name);
  if (known) return known(args.items);
  if (DICTS.has(name)) return dictOf(args.items);
  return inert(callee, name, args);
}

/** NEWOBJ: an instance of `cls`, to be filled by the opcodes that follow. */
export function newObject(cls: PyValue, args: PyValue): PyValue {
  if (!(cls instanceof PyGlobal)) throw new PickleError("NEWOBJ makes an instance of something that is not a class");
  const name = modernName(cls);
  return DICTS.has(name) ? new PyDict() : inert(cls, name, args);
}

/** BUILD: gives `target` its state. */
export function build(target: PyValue, state: PyValue): void {
  if (target instanceof PyObject) target.setState(state);
  else if (target instanceof PyArray) buildArray(target, state);
  else if (target instanceof PyDtype) buildDtype(target, state);
  // Attributes of a dict, set or tensor: none of them is part of a network.
  else if (!(target instanceof PyDict || target instanceof PySet || target instanceof PyTensor)) {
    throw new PickleError("BUILD gives a state to something that is not an object");
  }
}

function inert(cls: PyGlobal, name: string, args: PyValue): PyObject {
  // A dotted name reaches through a module's attributes, and those may be modules of the standard library.
  const through = [cls.module.split(".", 1)[0]!, ...cls.name.split(".").slice(0, -1)];
  if (through.some((part) => STANDARD_LIBRARY.has(part)) && !HARMLESS.has(name)) {
    throw new PickleError(`it asks to run ${shown(cls)}, which no network needs: do not open this file with Python`);
  }
  return new PyObject(cls, args);
}

function modernName(global: PyGlobal): string {
  return `${OLD_MODULES[global.module] ?? global.module}.${global.name}`;
}

/** The name of a global for a message; it comes from the file and may hold anything. */
export function shown(global: PyGlobal): string {
  const text = global.qualified.replace(/[^\x20-\x7e]/g, "?");
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

function fail(message: string): never {
  throw new PickleError(message);
}

function asTensor(value: PyValue | undefined): PyTensor {
  return value instanceof PyTensor ? value : fail("a parameter does not hold a dense tensor");
}

function storageBlob([data]: Args): PyStorageBlob {
  if (!(data instanceof PyBytes)) throw new PickleError("a storage does not hold bytes");
  data.storage ??= new PyStorageBlob(data);
  return data.storage;
}

function persistent([meta]: Args): PyPersistent {
  return meta instanceof PyDict ? new PyPersistent(meta) : fail("a persistent object has no record");
}

function dictOf(args: Args): PyDict {
  // A defaultdict is called with its factory; a list of pairs is what Python 2 wrote.
  if (args.some((arg) => arg instanceof PyList || arg instanceof PyDict || arg instanceof PyTuple)) {
    throw new PickleError("it was written by Python 2: save it again with Python 3");
  }
  return new PyDict();
}

function setOf([items]: Args): PySet {
  if (items === undefined) return new PySet();
  // Shared, not copied: a pickle may make a million sets of one long list.
  return items instanceof PyList ? new PySet(items) : fail("a set is made from something that is not a list");
}

function bytesOf([data, encoding]: Args): PyValue | Promise<PyValue> {
  if (data === undefined) return latin1Bytes("");
  return data instanceof PyBytes ? data : encode([data, encoding ?? null]);
}

/** `_codecs.encode(text, "latin1")`: how protocol 2 writes bytes. */
function encode([text, encoding]: Args): PyValue | Promise<PyValue> {
  if (encoding !== "latin1" && encoding !== "latin-1")
    throw new PickleError("bytes are written as text, but not as latin-1");
  if (typeof text === "string") return latin1Bytes(text);
  if (!(text instanceof PyText)) throw new PickleError("bytes are written as text, but the text is missing");
  if (text.encoding === "latin1") return new PyBytes(text.source, text.offset, text.length);
  text.encoded ??= Latin1Source.open(new SliceSource(text.source, text.offset, text.length)).then(
    (source) => new PyBytes(source, 0, source.size),
  );
  return text.encoded;
}
