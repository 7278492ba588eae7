import { LIMITS, PickleError } from "./limits.js";
import { type ModuleRecord, moduleOf } from "./modules.js";
import { arrayValues } from "./numpy.js";
import { PyArray, PyDict, PyList, PyTuple, type PyValue } from "./values.js";

/** A constructor argument as JSON. */
export type Argument = null | boolean | number | string | Argument[];
export type Arguments = Record<string, Argument>;

/** Parameters of `Precond` and `PrecondCondition` that may be given by position, in their order. */
const POSITIONAL = ["img_resolution", "img_channels", "label_dim", "use_fp16", "sigma_data", "logvar_channels"];

/** Arguments of the reference's layers that concern training only. */
const TRAINING = new Set(["use_fp16", "force_normalization", "use_gan"]);

/** Attributes that outlive the constructor and decide what the network computes, by the module that has them. */
const NETWORK_ATTRIBUTES = ["img_resolution", "img_channels", "label_dim", "sigma_data"];
const PART_ATTRIBUTES = ["label_balance", "concat_balance"];
const BLOCK_ATTRIBUTES = ["res_balance", "attn_balance", "clip_act", "resample_filter"];

/** Attributes that stand in for a record: without all of them, what the network computes would be a guess. */
const NEEDED = ["sigma_data", ...PART_ATTRIBUTES, ...BLOCK_ATTRIBUTES];

/**
 * The constructor arguments of the network. First what `torch_utils.persistence` recorded of the constructor's call;
 * over that the attributes of the live modules, because it is those that the network computed with. `complete`: what is
 * absent has the reference's default; otherwise it is not known.
 * @throws PickleError if the record cannot be read, or if blocks differ in what is one argument.
 */
export async function networkArguments(network: ModuleRecord): Promise<{ values: Arguments; complete: boolean }> {
  const recorded = await recordedArguments(network.state);
  const live = await liveArguments(network, recorded === undefined);
  const complete = recorded !== undefined || NEEDED.every((name) => name in live);
  return { values: { ...recorded, ...live }, complete };
}

async function recordedArguments(state: PyDict): Promise<Arguments | undefined> {
  const args = state.get("_init_args");
  const kwargs = state.get("_init_kwargs");
  if (!(args instanceof PyTuple) || !(kwargs instanceof PyDict)) return undefined;
  if (args.items.length > POSITIONAL.length) {
    throw new PickleError("the network was constructed with more arguments by position than are known");
  }
  if (kwargs.size > LIMITS.arguments) throw new PickleError("the network was constructed with too many arguments");
  const entries: [PyValue, PyValue][] = args.items.map((value, i) => [POSITIONAL[i]!, value]);
  const found: Arguments = {};
  for (const [name, value] of [...entries, ...kwargs.entries()]) {
    if (typeof name !== "string") throw new PickleError("a constructor argument is not named by text");
    if (!TRAINING.has(name)) found[name] = await toJson(value, `the constructor argument ${name.slice(0, 60)}`);
  }
  return found;
}

async function liveArguments(network: ModuleRecord, withHeads: boolean): Promise<Arguments> {
  const found: Arguments = {};
  async function collect(owner: ModuleRecord, names: readonly string[]): Promise<void> {
    for (const name of names) {
      const value = owner.state.get(name);
      if (value === undefined) continue;
      const json = await toJson(value, `the attribute ${name}`, LIMITS.attributeValues);
      if (name in found && JSON.stringify(found[name]) !== JSON.stringify(json)) {
        throw new PickleError(`its modules differ in ${name}, which has to be one value for the whole network`);
      }
      found[name] = json;
    }
  }

  await collect(network, NETWORK_ATTRIBUTES);
  const heads: { channels: number; heads: number }[] = [];
  for (const name of ["unet", "ctrl", "enc", "dec"]) {
    const part = moduleOf(network.children.get(name));
    if (!part) continue;
    await collect(part, PART_ATTRIBUTES);
    for (const coder of ["enc", "dec"]) {
      for (const child of moduleOf(part.children.get(coder))?.children.values() ?? []) {
        const block = moduleOf(child);
        if (!block) continue;
        await collect(block, BLOCK_ATTRIBUTES);
        const count = block.state.get("num_heads");
        const channels = block.state.get("out_channels");
        if (typeof count === "number" && typeof channels === "number" && count > 0)
          heads.push({ channels, heads: count });
      }
    }
  }
  if (withHeads) {
    // Any width that gives every block its number of heads is as good as the one that was used.
    const widths = [...new Set(heads.map((block) => block.channels / block.heads))];
    const width = widths
      .slice(0, LIMITS.attributeValues)
      .find((w) => heads.every((block) => Math.floor(block.channels / w) === block.heads));
    if (width !== undefined) found.channels_per_head = width;
  }
  return found;
}

/** A Python value as JSON: numbers (also those of numpy), text, lists of them. */
export async function toJson(value: PyValue, what: string, limit: number = LIMITS.arrayValues): Promise<Argument> {
  let left = limit;
  async function convert(item: PyValue, depth: number): Promise<Argument> {
    if (--left < 0 || depth > 4) throw new PickleError(`${what} is larger than any argument of a network`);
    if (item === null || typeof item === "boolean" || typeof item === "string") return item;
    if (typeof item === "number" && Number.isFinite(item)) return item;
    if (item instanceof PyArray) {
      const { shape, values } = await arrayValues(item);
      if (shape.length > 1) throw new PickleError(`${what} is an array of ${shape.length} dimensions`);
      left -= values.length;
      return shape.length === 0 ? values[0]! : values;
    }
    if (!(item instanceof PyList || item instanceof PyTuple)) throw new PickleError(`${what} is not plain data`);
    const items: Argument[] = [];
    for (const entry of item.items) items.push(await convert(entry, depth + 1));
    return items;
  }
  return convert(value, 0);
}
