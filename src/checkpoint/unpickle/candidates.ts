import { quote } from "../fail.js";
import { bareName, networkPrefixes } from "../prefixes.js";
import type { Arguments } from "./arguments.js";
import { LIMITS, PickleError } from "./limits.js";
import { instanceOf, isScripted, type ModuleRecord, moduleOf, scriptedTensors, stateDict } from "./modules.js";
import { PyDict, PyList, PyNode, PyObject, PyTensor, PyTuple, type PyValue } from "./values.js";

/** One network in a file: training states hold several, the one that is trained and averages of it. */
export interface Candidate {
  /** Keys that lead to it and the prefix of its tensors, joined by dots: "ema.emas.0", "state_dict.ema_model". */
  readonly path: string;
  /** What stands beside it in the file, for people: "std 0.05". */
  readonly note?: string | undefined;
  /** True if its weights are an average over training, by the names that lead to it. */
  readonly averaged: boolean;
  /** "other": a network of another kind, where those were asked for. */
  readonly architecture: "edm2" | "ncvsd" | "other";
  /** The module, unless the file holds tensors only. */
  readonly network: ModuleRecord | undefined;
  /** Arguments that the modules around the network hold: those of the generative denoiser. */
  readonly wrapper: Arguments;
  tensors(): Map<string, PyTensor>;
}

/** A list of tensors without names, as some libraries keep averages: in the order of the network's parameters. */
interface Unnamed {
  readonly path: string;
  readonly tensors: readonly PyTensor[];
}

export interface Found {
  readonly candidates: readonly Candidate[];
  /** Averages that fit none of the networks. */
  readonly unnamed: readonly Unnamed[];
  readonly discriminator: string | undefined;
}

const AVERAGED = /(^|[_-])(g?emas?\d*|swa|avg|averaged?|shadow|polyak)([_\-.\d]|$)|^ema[A-Z]|[a-z](EMA|Ema)$/i;
const NOT_AVERAGED = /(^|[_-])(online|raw|current)([_-]|$)|^non_?ema/i;

/** The innermost name that says so decides: `ema.online_model` is not averaged, `ema_model.module` is. */
function isAveraged(keys: readonly string[]): boolean {
  for (const key of keys.toReversed()) {
    if (NOT_AVERAGED.test(key)) return false;
    if (AVERAGED.test(key)) return true;
  }
  return false;
}

function isAverage(key: string, value: PyValue): boolean {
  if (!(value instanceof PyNode) || !AVERAGED.test(key)) return false;
  if (key === "ema") return true;
  return value instanceof PyDict && [...value.entries()].some(([, entry]) => entry instanceof PyTensor);
}

/**
 * Every network in `root`: modules and the modules inside them, state_dicts under any key or prefix, lists of either.
 * @param ofAnyKind every state_dict, every outermost module and every list of tensors counts, but for those of optimizers
 */
export function findNetworks(root: PyValue, ofAnyKind = false): Found {
  const candidates: Candidate[] = [];
  const lists: Unnamed[] = [];
  const seen = new Set<PyNode>();
  let looked = 0;
  let discriminator: string | undefined;

  function add(candidate: Candidate): void {
    candidates.push(candidate);
    if (candidates.length > LIMITS.networks) {
      throw new PickleError(`it holds more than ${LIMITS.networks} networks: save the one that is wanted by itself`);
    }
  }

  function inModule(module: ModuleRecord, keys: readonly string[], wrapper: Arguments, note?: string): void {
    const around = { ...wrapper };
    for (const name of ["gamma", "init_sigma"]) {
      const number = module.state.get(name);
      if (typeof number === "number") around[name] = number;
    }
    const architecture = ofAnyKind ? "other" : recognise(module);
    if (architecture === "discriminator") {
      discriminator ??= module.className;
    } else if (architecture) {
      const tensors = () => unwrapped(stateDict(module));
      const at = { path: keys.join("."), note, averaged: isAveraged(keys) };
      add({ ...at, architecture, network: module, wrapper: architecture === "ncvsd" ? around : {}, tensors });
    } else if (module.children.size <= 8) {
      // A wrapper has one module inside, or a few; a network that is not ours has many, which say nothing.
      for (const [name, child] of module.children) walk(child, [...keys, name], around);
    }
  }

  function walk(value: PyValue | undefined, keys: readonly string[], wrapper: Arguments, note?: string): void {
    if (!(value instanceof PyNode) || value instanceof PyTensor || seen.has(value)) return;
    seen.add(value);
    const alone = ofAnyKind ? withoutModule(value) : undefined;
    if (alone) {
      const at = { path: keys.join("."), note, averaged: isAveraged(keys) };
      add({ ...at, architecture: "other", network: undefined, wrapper: {}, tensors: () => alone });
      return;
    }
    const module = moduleOf(value);
    if (module) inModule(module, keys, wrapper, note);
    else if (value instanceof PyList || value instanceof PyTuple) {
      for (const [i, item] of value.items.entries()) {
        if (++looked > LIMITS.searched) return;
        walk(item, [...keys, String(i)], wrapper);
      }
    } else inTables(value, keys, wrapper, note);
  }

  /** The entries of a dict, and the attributes of an object. */
  function inTables(value: PyNode, keys: readonly string[], wrapper: Arguments, note: string | undefined): void {
    const dict = value instanceof PyDict ? value : value instanceof PyObject ? value.items : undefined;
    for (const found of dict ? stateDictsIn(dict, keys, note, ofAnyKind) : []) add(found);
    const state = instanceOf(value)?.state;
    for (const table of [dict, state]) {
      const stds = table?.get("stds");
      for (const [key, entry] of table?.entries() ?? []) {
        if (++looked > LIMITS.searched) return;
        if (typeof key !== "string" || key.length > LIMITS.nameLength) continue;
        if (ofAnyKind && /optim|sched|scaler/i.test(key)) continue;
        const tensors = (key === "shadow_params" || key === "ema_weights") && entry instanceof PyList && entry.items;
        if (tensors && tensors.length > 0 && tensors.every((t) => t instanceof PyTensor)) {
          lists.push({ path: [...keys, key].join("."), tensors });
        } else if (key === "emas" && entry instanceof PyList && stds instanceof PyList) {
          for (const [i, ema] of entry.items.slice(0, LIMITS.networks + 1).entries()) {
            walk(ema, [...keys, key, String(i)], wrapper, `std ${String(stds.items[i]).slice(0, 20)}`);
          }
        } else {
          const before = candidates.length + lists.length;
          walk(entry, [...keys, key], wrapper);
          // An average of something else, or in a form that is not known: no reason to take the weights before averaging.
          if (candidates.length + lists.length === before && isAverage(key, entry))
            lists.push({ path: [...keys, key].join("."), tensors: [] });
        }
      }
    }
  }

  walk(root, [], {});
  const unnamed = lists.filter((list) => {
    const named = candidates.find((c) => !c.averaged && fits(list, parametersOf(c.tensors())));
    if (!named) return true;
    add({ ...named, path: list.path, averaged: true, tensors: () => namedBy(list, named.tensors()) });
    return false;
  });
  return { candidates: candidates.map((c) => withFeatures(c, candidates)), unnamed, discriminator };
}

/** Averages often hold parameters only: the random features, which never change, are those of the network beside them. */
function withFeatures(candidate: Candidate, all: readonly Candidate[]): Candidate {
  if (!candidate.averaged || candidate.network) return candidate;
  const { architecture } = candidate;
  const [trained, ...more] = all.filter((c) => !c.averaged && c.architecture === architecture);
  if (!trained || more.length > 0) return candidate;
  return {
    ...candidate,
    tensors() {
      const own = candidate.tensors();
      for (const [name, tensor] of trained.tensors()) if (isFeature(name) && !own.has(name)) own.set(name, tensor);
      return own;
    },
  };
}

/** By structure, so that a renamed class is recognised; `Precond` and `PrecondCondition` are what the reference calls them. */
function recognise({ children }: ModuleRecord): "edm2" | "ncvsd" | "discriminator" | undefined {
  if (children.has("unet")) return "edm2";
  if (["ctrl", "enc", "dec"].every((name) => children.has(name))) return "ncvsd";
  return children.has("ctrl") && children.has("enc") ? "discriminator" : undefined;
}

/** The state_dicts that are the tensors of `dict`: one, or several behind prefixes. */
function* stateDictsIn(
  dict: PyDict,
  keys: readonly string[],
  note: string | undefined,
  ofAnyKind: boolean,
): Generator<Candidate> {
  const entries = new Map<string, PyTensor>();
  for (const [name, value] of dict.entries()) {
    if (!(value instanceof PyTensor)) continue;
    if (typeof name !== "string" || name.length > LIMITS.nameLength) return;
    entries.set(name, value);
    if (entries.size > LIMITS.tensors) throw new PickleError(`it has more than ${LIMITS.tensors} tensors`);
  }
  if (entries.size === 0) return;
  const bare = unwrapped(entries);
  if (ofAnyKind) {
    const candidate = { path: keys.join("."), note, averaged: isAveraged(keys), architecture: "other" as const };
    return yield { ...candidate, network: undefined, wrapper: {}, tensors: () => bare };
  }
  const prefixes = networkPrefixes(bare.keys());
  for (const { prefix, architecture } of prefixes) {
    const inner = prefixes.map((other) => other.prefix).filter((p) => p !== prefix && p.startsWith(prefix));
    const names = [...bare.keys()].filter((n) => n.startsWith(prefix) && !inner.some((p) => n.startsWith(p)));
    const path = [...keys, ...prefix.split(".").filter((part) => part !== "")];
    const tensors = () => new Map(names.map((name) => [name.slice(prefix.length), bare.get(name)!]));
    const candidate = { architecture, network: undefined, wrapper: {}, note };
    yield { ...candidate, path: path.join("."), averaged: isAveraged(path), tensors };
    // Averages whose names lost their dots, as "model_ema.unetout_gain": only parameters, the rest is the network's.
    const flat = new Map(
      names.map((name) => [name.slice(prefix.length).replaceAll(".", ""), name.slice(prefix.length)]),
    );
    const mark = [...flat].find(([, name]) => name.endsWith("out_gain"))?.[0];
    const average = mark && [...bare.keys()].find((name) => name.endsWith(`.${mark}`));
    if (!average) continue;
    const home = average.slice(0, -mark.length);
    yield {
      ...candidate,
      path: [...keys, home.slice(0, -1)].join("."),
      averaged: true,
      tensors: () =>
        new Map([...flat].map(([from, name]) => [name, bare.get(home + from) ?? bare.get(prefix + name)!])),
    };
  }
}

/** Tensors of a TorchScript module, or of a list that gives them no names: they are called by their place. */
function withoutModule(value: PyNode): Map<string, PyTensor> | undefined {
  if (isScripted(value)) return scriptedTensors(value);
  const items = value instanceof PyList || value instanceof PyTuple ? value.items : [];
  if (items.length === 0 || items.length > LIMITS.tensors) return undefined;
  const tensors = items.flatMap((item) => (item instanceof PyTensor ? item : []));
  if (tensors.length < items.length) return undefined;
  return new Map(tensors.map((tensor, i) => [String(i), tensor]));
}

/** Without what `torch.compile` and parallel wrappers put into names, unless two would become one. */
function unwrapped(tensors: Map<string, PyTensor>): Map<string, PyTensor> {
  const bare = new Map([...tensors].map(([name, tensor]) => [bareName(name), tensor]));
  return bare.size === tensors.size ? bare : tensors;
}

const isFeature = (name: string) => /\.(freqs|phases)$/.test(name);

/** What `module.parameters()` lists: everything but the buffers, which are the random features. */
function parametersOf(tensors: Map<string, PyTensor>): [string, PyTensor][] {
  return [...tensors].filter(([name]) => !isFeature(name));
}

function fits(list: Unnamed, parameters: readonly [string, PyTensor][]): boolean {
  return (
    list.tensors.length === parameters.length &&
    parameters.every(([, { size }], i) => String(size) === String(list.tensors[i]!.size))
  );
}

function namedBy(list: Unnamed, tensors: Map<string, PyTensor>): Map<string, PyTensor> {
  const averages = new Map(parametersOf(tensors).map(([name], i) => [name, list.tensors[i]!]));
  return new Map([...tensors].map(([name, tensor]) => [name, averages.get(name) ?? tensor]));
}

/** How messages and `--select` call a network. */
const nameOf = ({ path }: { path: string }) => (path === "" ? "(top)" : path);
const described = (c: Candidate) => quote(nameOf(c)) + (c.note === undefined ? "" : ` (${c.note})`);
const listed = (of: readonly Candidate[]) =>
  of.slice(0, 12).map(described).join(", ") + (of.length > 12 ? ", ..." : "");

/** The network that is meant, and the names of those that are not. */
export interface Choice {
  readonly candidate: Candidate;
  readonly selected: string;
  readonly others: readonly string[];
}

/**
 * Chooses among the networks of a file: the one named by `select`; otherwise the only one, or the only average.
 * @returns a sentence that says why there is no choice
 */
export function chooseNetwork({ candidates, unnamed }: Found, select: string | undefined): Choice | string {
  const choice = (candidate: Candidate): Choice => ({
    candidate,
    selected: nameOf(candidate),
    others: [...candidates.filter((other) => other !== candidate).map(nameOf), ...unnamed.map((list) => list.path)],
  });
  if (select !== undefined) {
    const wanted = bareName(select.replace(/\.$/, ""));
    const exact = candidates.filter((c) => nameOf(c) === wanted || bareName(c.path) === wanted);
    // A part of the keys will do where it is one network's alone.
    const loose = candidates.filter((c) => c.path.endsWith(`.${wanted}`) || c.path.startsWith(`${wanted}.`));
    const matches = exact.length > 0 ? exact : loose;
    if (matches.length === 1) return choice(matches[0]!);
    return `--select ${quote(select)} names ${matches.length === 0 ? "none" : "several"} of its networks: ${listed(matches.length === 0 ? candidates : matches)}`;
  }
  const averages = candidates.filter((c) => c.averaged);
  if (averages.length === 1) return choice(averages[0]!);
  if (candidates.length === 1 && unnamed.length === 0) return choice(candidates[0]!);
  if (unnamed.length > 0 && averages.length === 0) {
    return `it holds ${listed(candidates)} and, under ${quote(unnamed[0]!.path)}, an average that is no network of a known kind: choose what is converted with --select`;
  }
  return `it holds ${candidates.length} networks, ${listed(candidates)}: choose one with --select`;
}
