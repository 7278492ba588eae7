import { LIMITS, PickleError } from "./limits.js";
import { PyDict, PyNode, PyObject, PyPersistent, PySet, PyTensor, PyTuple, type PyValue } from "./values.js";

/** A `torch.nn.Module` as the pickle left it: the name of its class and its instance dictionary. */
export interface ModuleRecord {
  readonly className: string;
  readonly state: PyDict;
  /** Sub-modules in the order in which they were registered; those assigned as None are absent. */
  readonly children: ReadonlyMap<string, PyValue>;
}

/** Class name and instance dictionary of an object, whether or not its class was persistent. */
export function instanceOf(value: PyValue | undefined): { className: string; state: PyDict } | undefined {
  let className: PyValue | undefined;
  let state: PyValue | undefined;
  if (value instanceof PyPersistent) {
    className = value.meta.get("class_name");
    state = value.meta.get("state");
  } else if (value instanceof PyObject) {
    className = value.cls.name;
    state = value.state;
  }
  // An object with __slots__ has the state (dictionary, slots).
  if (state instanceof PyTuple) state = state.items[0];
  return typeof className === "string" && state instanceof PyDict ? { className, state } : undefined;
}

/** A hostile file may ask for one huge module many times over. */
const known = new WeakMap<PyNode, ModuleRecord>();

/** `value` as a module, or undefined if it is something else. */
export function moduleOf(value: PyValue | undefined): ModuleRecord | undefined {
  if (!(value instanceof PyNode)) return undefined;
  const record = known.get(value) ?? readModule(value);
  if (record) known.set(value, record);
  return record;
}

/** Objects may share their dict of sub-modules: it is read once, however many there are. */
const childrenOf = new WeakMap<PyDict, ReadonlyMap<string, PyValue>>();

function readModule(value: PyNode): ModuleRecord | undefined {
  const instance = instanceOf(value);
  const modules = instance?.state.get("_modules");
  if (!instance || !(modules instanceof PyDict)) return undefined;
  const children = childrenOf.get(modules) ?? readChildren(modules);
  childrenOf.set(modules, children);
  return { ...instance, children };
}

function readChildren(modules: PyDict): Map<string, PyValue> {
  const children = new Map<string, PyValue>();
  for (const [name, child] of modules.entries()) {
    if (typeof name !== "string") throw new PickleError("a sub-module is not named by text");
    if (child !== null) children.set(name, child);
  }
  return children;
}

/**
 * The entries of `module.state_dict()`: parameters, persistent buffers and those of all sub-modules, names joined by dots.
 * @throws PickleError if it is not a tree of modules and dense tensors within the limits.
 */
export function stateDict(root: ModuleRecord): Map<string, PyTensor> {
  const tensors = new Map<string, PyTensor>();
  let modules = 0;
  let entries = 0;

  function add(prefix: string, table: PyValue | undefined, skip: PySet | undefined): void {
    if (table === undefined) return;
    if (!(table instanceof PyDict))
      throw new PickleError(`the parameters of ${prefix || "the network"} are not a dict`);
    for (const [key, value] of table.entries()) {
      if (++entries > LIMITS.moduleEntries)
        throw new PickleError(`its modules have more than ${LIMITS.moduleEntries} entries`);
      if (value === null || skip?.has(key)) continue;
      const name = join(prefix, key);
      if (!(value instanceof PyTensor)) throw new PickleError(`${name} is not a dense tensor`);
      tensors.set(name, value);
      if (tensors.size > LIMITS.tensors) throw new PickleError(`the network has more than ${LIMITS.tensors} tensors`);
    }
  }

  function walk(module: ModuleRecord, prefix: string, depth: number): void {
    // Shared modules count once for every name that they have, and a module inside itself runs into the depth.
    if (++modules > LIMITS.modules || depth > LIMITS.moduleDepth) {
      throw new PickleError(
        `the network has more than ${LIMITS.modules} modules, or more than ${LIMITS.moduleDepth} inside one another`,
      );
    }
    add(prefix, module.state.get("_parameters"), undefined);
    const hidden = module.state.get("_non_persistent_buffers_set");
    add(prefix, module.state.get("_buffers"), hidden instanceof PySet ? hidden : undefined);
    for (const [name, child] of module.children) {
      const path = join(prefix, name);
      const record = moduleOf(child);
      if (!record) throw new PickleError(`${path} is not a module`);
      walk(record, path, depth + 1);
    }
  }

  walk(root, "", 0);
  return tensors;
}

/** Whether an object is one of TorchScript, whose modules keep tensors and sub-modules as plain attributes. */
export const isScripted = (value: PyValue | undefined): value is PyObject =>
  value instanceof PyObject && /^__torch__(\.|$)/.test(value.cls.module);

/**
 * The tensors of a TorchScript module, by the attributes that lead to them, joined by dots.
 * @throws PickleError beyond the limits
 */
export function scriptedTensors(root: PyObject): Map<string, PyTensor> {
  const tensors = new Map<string, PyTensor>();
  let modules = 0;
  function walk(object: PyObject, prefix: string, depth: number): void {
    if (++modules > LIMITS.modules || depth > LIMITS.moduleDepth) {
      throw new PickleError(
        `the network has more than ${LIMITS.modules} modules, or more than ${LIMITS.moduleDepth} inside one another`,
      );
    }
    for (const [key, value] of instanceOf(object)?.state.entries() ?? []) {
      if (value instanceof PyTensor) tensors.set(join(prefix, key), value);
      else if (isScripted(value)) walk(value, join(prefix, key), depth + 1);
      if (tensors.size > LIMITS.tensors) throw new PickleError(`the network has more than ${LIMITS.tensors} tensors`);
    }
  }
  walk(root, "", 0);
  return tensors;
}

function join(prefix: string, key: PyValue): string {
  if (typeof key !== "string") throw new PickleError(`an entry of ${prefix || "the network"} is not named by text`);
  const name = prefix === "" ? key : `${prefix}.${key}`;
  if (name.length > LIMITS.nameLength) throw new PickleError(`a name has more than ${LIMITS.nameLength} characters`);
  return name;
}
