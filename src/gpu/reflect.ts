import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { type AnyKernel, actType, type Precision, type SourcePart, type Variant } from "./contract.js";

/** A storage buffer as declared in WGSL. */
export interface Binding {
  readonly name: string;
  readonly binding: number;
  readonly writable: boolean;
}

export interface UniformMember {
  readonly name: string;
  readonly offset: number;
  readonly kind: "u32" | "i32" | "f32";
  /** Values in the member: 1 for scalars, 4 for vec4, 4n for array<vec4, n>. */
  readonly count: number;
}

export interface Reflection {
  readonly storage: readonly Binding[];
  readonly members: readonly UniformMember[];
  /** Bytes of the uniform struct, a multiple of 16. */
  readonly uniformSize: number;
}

/** The WGSL text of one variant, and where its parts begin, so that a message can name a file and line. */
export interface ComposedSource {
  readonly text: string;
  /** First line (1-based) in `text` of each part. */
  readonly parts: readonly { file: string; firstLine: number }[];
}

/** Two words are read faster than four halves, also where the adapter knows f16. */
const HALVES = [
  "alias W4 = vec2u;",
  "fn weight4(w: W4) -> vec4f { return vec4f(unpack2x16float(w.x), unpack2x16float(w.y)); }",
];

/** Four weights as they are stored, and as they are computed with. */
const WEIGHTS: Readonly<Record<Precision, readonly string[]>> = {
  f32: ["alias W4 = vec4f;", "fn weight4(w: W4) -> vec4f { return w; }"],
  f16: HALVES,
  "f16-weights": HALVES,
};

/** Puts the generated prelude and the shared parts in front of a kernel's WGSL. */
export function composeSource(kernel: AnyKernel, variant: Variant, precision: Precision): ComposedSource {
  const needs = new Set<string>(variant.needs ?? []);
  if (precision === "f16") needs.add("f16");
  const prelude = [
    ...[...needs].sort().map((feature) => `enable ${feature};`),
    `alias S = ${actType(precision)};`,
    ...WEIGHTS[precision],
    ...(variant.prelude === "" ? [] : [variant.prelude]),
  ].join("\n");
  const all: SourcePart[] = [{ file: `prelude of ${kernel.name} (${variant.key})`, text: prelude }, ...kernel.source];
  const parts: { file: string; firstLine: number }[] = [];
  let text = "";
  let line = 1;
  for (const part of all) {
    parts.push({ file: part.file, firstLine: line });
    text += `${part.text}\n`;
    line += part.text.split("\n").length;
  }
  return { text, parts };
}

/** Turns a line of the composed text into `file:line`. */
export function locate(source: ComposedSource, line: number): string {
  let at = source.parts[0]!;
  for (const part of source.parts) if (part.firstLine <= line) at = part;
  return `${at.file}:${line - at.firstLine + 1}`;
}

const reflections = new Map<string, Reflection>();

/** Reads bindings and the uniform layout from WGSL, once per text: other devices compile the same. */
export function reflectSource(text: string): Reflection {
  const known = reflections.get(text) ?? reflectAnew(text);
  reflections.set(text, known);
  return known;
}

function reflectAnew(text: string): Reflection {
  const reflect = new WgslReflect(text);
  const storage = reflect.storage
    .map((v) => ({ name: v.name, binding: v.binding, writable: v.access === "read_write" || v.access === "write" }))
    .sort((a, b) => a.binding - b.binding);
  const uniform = reflect.uniforms[0];
  const members: UniformMember[] = (uniform?.members ?? []).map((member) => {
    const scalar = /(u32|i32|f32)/.exec(`${member.type.name} ${typeName(member.type)}`)?.[1];
    if (scalar === undefined) throw new Error(`uniform member ${member.name} has an unsupported type`);
    return { name: member.name, offset: member.offset, kind: scalar as UniformMember["kind"], count: member.size / 4 };
  });
  return { storage, members, uniformSize: Math.ceil((uniform?.size ?? 16) / 16) * 16 };
}

function typeName(type: { name: string; format?: unknown }): string {
  const format = type.format as { name: string; format?: unknown } | null | undefined;
  return format ? `${format.name} ${typeName(format)}` : shortVector(type.name);
}

/** vec4f, vec4u, vec4i carry their scalar in the last letter. */
function shortVector(name: string): string {
  const letter = /^vec[234]([fui])$/.exec(name)?.[1];
  return letter === "f" ? "f32" : letter === "u" ? "u32" : letter === "i" ? "i32" : name;
}

/** Packs values by member name; a missing, superfluous or overlong value is a mistake in the kernel's contract. */
export function packUniforms(
  kernel: string,
  reflection: Reflection,
  values: Readonly<Record<string, number | readonly number[]>>,
): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(reflection.uniformSize));
  const known = new Set(reflection.members.map((m) => m.name));
  for (const name of Object.keys(values)) {
    if (!known.has(name)) throw new Error(`kernel ${kernel}: Params has no member ${name}`);
  }
  for (const member of reflection.members) {
    const value = values[member.name];
    if (value === undefined) throw new Error(`kernel ${kernel}: no value for Params.${member.name}`);
    const list = typeof value === "number" ? [value] : value;
    if (list.length > member.count) throw new Error(`kernel ${kernel}: too many values for Params.${member.name}`);
    list.forEach((v, i) => {
      const at = member.offset + 4 * i;
      if (member.kind === "f32") view.setFloat32(at, v, true);
      else if (member.kind === "u32") view.setUint32(at, v, true);
      else view.setInt32(at, v, true);
    });
  }
  return view.buffer;
}
