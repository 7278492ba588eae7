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

/**
 * The end of loops that end by a `break`: `for (var i = 0u; i < MANY; i++) { if (i >= p.count) { break; } ... }`. Tint guards loops whose
 * bound is no constant (guarded-loops.ts).
 */
const MANY = "const MANY: u32 = 4294967295u;";

/** Puts the generated prelude and the shared parts in front of a kernel's WGSL. */
export async function composeSource(
  kernel: AnyKernel,
  variant: Variant,
  precision: Precision,
): Promise<ComposedSource> {
  const needs = new Set<string>(variant.needs ?? []);
  if (precision === "f16") needs.add("f16");
  const prelude = [
    ...[...needs].sort().map((feature) => `enable ${feature};`),
    `alias S = ${actType(precision)};`,
    MANY,
    ...WEIGHTS[precision],
    ...(variant.prelude === "" ? [] : [variant.prelude]),
    ...(variant.text ? [await variant.text()] : []),
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

/** Size in scalars and alignment in bytes of what a uniform struct of ours may hold (WGSL, "Alignment and size"). */
const LAYOUT: Readonly<Record<string, readonly [count: number, align: number]>> = {
  scalar: [1, 4],
  vec2: [2, 8],
  vec3: [3, 16],
  vec4: [4, 16],
};
const KIND = { f: "f32", u: "u32", i: "i32" } as const;

/**
 * Kernels declare in one way: buffers of group 0, and one uniform struct of scalars, vectors and arrays of vec4. A test compares what
 * is read here with a whole parser of WGSL, for every text of every kernel.
 */
function reflectAnew(source: string): Reflection {
  const text = source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "");
  const buffers = text.matchAll(/@group\(0\)\s*@binding\((\d+)\)\s*var<storage(?:,\s*(\w+))?>\s*(\w+)\s*:/g);
  const storage = [...buffers]
    .map(([, binding, access, name]) => ({ name: name!, binding: Number(binding), writable: access === "read_write" }))
    .sort((a, b) => a.binding - b.binding);
  const type = /var<uniform>\s*\w+\s*:\s*(\w+)\s*;/.exec(text)?.[1];
  if (type === undefined) return { storage, members: [], uniformSize: 16 };
  const body = new RegExp(`struct\\s+${type}\\s*\\{([^}]*)\\}`).exec(text)?.[1];
  if (body === undefined) throw new Error(`the uniform ${type} is no struct of this text`);
  const members: UniformMember[] = [];
  let end = 0;
  for (const [, name, written] of body.matchAll(/(\w+)\s*:\s*(\w+(?:<[^>]*>)?)/g)) {
    const [, length] = /^array<\s*vec4[fui]\s*,\s*(\d+)u?\s*>$/.exec(written!) ?? [];
    const [, element, vector, letter] = /(?:^|<\s*)((vec[234])([fui])|u32|i32|f32)/.exec(written!) ?? [];
    const layout = LAYOUT[vector ?? "scalar"];
    if (!element || !layout || (written!.includes("<") && !length))
      throw new Error(`uniform member ${name} has an unsupported type`);
    const [count, align] = layout;
    const kind = letter ? KIND[letter as keyof typeof KIND] : (element as UniformMember["kind"]);
    const offset = Math.ceil(end / align) * align;
    members.push({ name: name!, offset, kind, count: count * Number(length ?? 1) });
    end = offset + 4 * count * Number(length ?? 1);
  }
  return { storage, members, uniformSize: Math.ceil(Math.max(end, 16) / 16) * 16 };
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
