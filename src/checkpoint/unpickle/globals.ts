import { isHarmless, runsCode } from "./harmless.js";
import { type Budget, LIMITS, PickleError, RefusedCall } from "./limits.js";
import { buildArray, buildDtype, latin1Bytes, numpyDtype, numpyFromBuffer, numpyScalar } from "./numpy.js";
import { Latin1Source, SliceSource } from "./sources.js";
import { STANDARD_LIBRARY, STANDARD_PACKAGES } from "./stdlib.js";
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
type Meaning = (args: Args, budget: Budget) => PyValue | Promise<PyValue>;

/** Python 2 names, which protocol 2 writes even under Python 3: of modules, and of what moved or was renamed. */
const OLD_MODULES: Record<string, string> = {
  __builtin__: "builtins",
  copy_reg: "copyreg",
  exceptions: "builtins",
  urlparse: "urllib.parse",
  UserDict: "collections",
  _functools: "functools",
};
const OLD_NAMES: Record<string, string> = {
  "builtins.xrange": "range",
  "builtins.unicode": "str",
  "builtins.long": "int",
  "collections.IterableUserDict": "UserDict",
};

/** Module and name as Python 3 calls them. */
function modern({ module, name }: PyGlobal): { module: string; name: string } {
  const now = Object.hasOwn(OLD_MODULES, module) ? OLD_MODULES[module]! : module;
  const full = `${now}.${name}`;
  if (full === "builtins.reduce") return { module: "functools", name };
  return { module: now, name: Object.hasOwn(OLD_NAMES, full) ? OLD_NAMES[full]! : name };
}

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
  ["builtins.getattr", attributeOf],
  ["builtins.type", ([value, ...rest]) => typeOf(value, rest)],
  ["copyreg.__newobj__", ([cls, ...args]) => newInstance("__newobj__", cls, args)],
  ["copyreg.__newobj_ex__", ([cls, ...args]) => newInstance("__newobj_ex__", cls, args)],
  ["functools.reduce", unionType],
  ["copyreg._reconstructor", ([cls]) => newObject(cls ?? null, new PyTuple([]))],
  ["numpy.dtype", numpyDtype],
  ["torch.Size", ([items]) => (items instanceof PyTuple ? items : fail("torch.Size without a tuple"))],
  ["torch.storage._load_from_bytes", storageBlob],
  ["torch._tensor._rebuild_from_type_v2", (args, budget) => rebuildFromType(args, (f, a) => reduce(f, a, budget))],
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

/** REDUCE: what a call of `callee` would have made, as data. */
export function reduce(callee: PyValue, args: PyValue, budget: Budget): PyValue | Promise<PyValue> {
  if (!(callee instanceof PyGlobal)) throw new PickleError("REDUCE calls something that is not a global");
  if (!(args instanceof PyTuple)) throw new PickleError(`REDUCE calls ${shown(callee)} without a tuple of arguments`);
  const name = modernName(callee);
  const known = KNOWN.get(name);
  if (known) return known(args.items, budget);
  if (DICTS.has(name)) return dictOf(args.items, budget);
  return inert(callee, args);
}

/** NEWOBJ: an instance of `cls`, to be filled by the opcodes that follow. */
export function newObject(cls: PyValue, args: PyValue): PyValue {
  if (!(cls instanceof PyGlobal)) throw new PickleError("NEWOBJ makes an instance of something that is not a class");
  const name = modernName(cls);
  return DICTS.has(name) ? new PyDict() : inert(cls, args);
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

function inert(cls: PyGlobal, args: PyValue): PyObject {
  const { module, name } = modern(cls);
  if (ofStandardLibrary(module, name) && !isHarmless(module, name)) throw refusedCall(cls, module);
  return new PyObject(cls, args);
}

/** A dotted name reaches through a module's attributes, and those may be modules of the standard library. */
function ofStandardLibrary(module: string, name: string): boolean {
  const [top, ...rest] = module.split(".") as [string, ...string[]];
  // "code.model" is no part of the module `code`, which is no package, but of somebody's folder of that name.
  const itself = STANDARD_LIBRARY.has(top) && (rest.length === 0 || STANDARD_PACKAGES.has(top));
  return (
    itself ||
    name
      .split(".")
      .slice(0, -1)
      .some((part) => STANDARD_LIBRARY.has(part))
  );
}

function refusedCall(callee: PyGlobal, module: string): RefusedCall {
  const advice = runsCode(module, callee.name)
    ? "do not open this file with Python"
    : "if you trust its author, save it anew without that entry, or only its network's state_dict()";
  return new RefusedCall(`it asks to run ${shown(callee)}, which no network needs: ${advice}`);
}

/** `getattr(owner, name)`: a member of an enumeration, a class inside a class. Its full name is all that is kept. */
function attributeOf([owner, name, ...rest]: Args): PyValue {
  if (owner instanceof PyObject && typeof name === "string") {
    // A bound method. It is no global, so that a call of it is refused.
    return new PyObject(new PyGlobal("builtins", "getattr"), new PyTuple([owner, name]));
  }
  if (!(owner instanceof PyGlobal) || typeof name !== "string" || rest.length > 0 || !/^\w+$/.test(name)) {
    throw refusedCall(new PyGlobal("builtins", "getattr"), "builtins");
  }
  const full = new PyGlobal(owner.module, `${owner.name}.${name}`);
  if (full.name.length > LIMITS.globalLineBytes) throw new PickleError("a name has too many parts");
  const { module } = modern(owner);
  if (ofStandardLibrary(module, full.name) && !isHarmless(module, owner.name)) throw refusedCall(full, module);
  return full;
}

/** `type(None)` and `type(...)`, as the types of constants are written. */
function typeOf(value: PyValue | undefined, rest: Args): PyValue {
  if (value === undefined || rest.length > 0) throw refusedCall(new PyGlobal("builtins", "type"), "builtins");
  return new PyObject(new PyGlobal("builtins", "type"), new PyTuple([value]));
}

/** `copyreg.__newobj__(cls, *args)`: NEWOBJ, as protocol 1 and some classes write it. */
function newInstance(name: string, cls: PyValue | undefined, args: Args): PyValue {
  if (!(cls instanceof PyGlobal)) throw refusedCall(new PyGlobal("copyreg", name), "copyreg");
  return newObject(cls, new PyTuple(args));
}

/** `functools.reduce(operator.or_, types)`: the annotation `int | None`. */
function unionType(args: Args): PyValue {
  const [how] = args;
  const reduceGlobal = new PyGlobal("functools", "reduce");
  if (how instanceof PyGlobal && /^_?operator\.or_$/.test(how.qualified)) {
    return new PyObject(reduceGlobal, new PyTuple(args));
  }
  throw refusedCall(reduceGlobal, "functools");
}

function modernName(global: PyGlobal): string {
  const { module, name } = modern(global);
  return `${module}.${name}`;
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

/** A defaultdict is called with its factory; Python 2 calls an OrderedDict with a list of pairs. */
function dictOf(args: Args, budget: Budget): PyDict {
  const dict = new PyDict();
  for (const arg of args) {
    if (arg instanceof PyDict) {
      budget.spend(arg.size);
      for (const [key, value] of arg.entries()) dict.set(key, value);
    } else if (arg instanceof PyList || arg instanceof PyTuple) {
      budget.spend(arg.items.length);
      for (const pair of arg.items) {
        const items = pair instanceof PyList || pair instanceof PyTuple ? pair.items : [];
        if (items.length !== 2) throw new PickleError("a dict is made from something that is not pairs");
        dict.set(items[0]!, items[1]!);
      }
    }
  }
  return dict;
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
