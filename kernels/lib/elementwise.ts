import {
  type BufferUse,
  type Caps,
  type Case,
  elementBytes,
  grid1d,
  type Kernel,
  type SourcePart,
} from "../../src/gpu/contract.js";
import { addressable, positiveInteger } from "./check.js";
import { turns } from "./chunk.js";
import chunk from "./chunk.wgsl.js";
import { perInvocation } from "./entry.js";
import { lanesOf, storedLanes } from "./lanes.js";
import threadsAlone from "./params.wgsl.js";
import spans from "./spans.wgsl.js";

/** What a kernel says that computes its outputs one by one; the rest of its contract follows. */
export interface Elementwise<P extends object> {
  readonly name: string;
  /** Folder of the kernel below kernels/. */
  readonly group: string;
  /** kernel.wgsl: `struct Params` with `threads: u32` and more, if there is more and no part has it, the bindings, and `fn each(i: u32)`. */
  readonly source: string;
  /** Texts of kernels/lib that it needs. */
  readonly parts?: readonly SourcePart[];
  /** Parameters that are positive integers, by name. */
  counts(params: P): Readonly<Record<string, number>>;
  /** What else must hold. */
  check?(params: P): void;
  /** Invocations of a workgroup; absent: 64. */
  readonly workgroup?: number;
  /** Where adapters differ: the entry (`main`) is in the variant's prelude, and this is its grid. */
  grid?: Kernel<P>["grid"];
  /** Values to compute, one for each `each(i)`, with `lanes` in fours where that fits; absent: the product of `counts`. */
  threads?(params: P): number;
  /**
   * The rows that a vector may not straddle (their lengths), and what buffers hold. With it the WGSL sees the prelude of
   * kernels/lib/lanes.ts, and an invocation takes several `i` on a software adapter.
   */
  lanes?(params: P): { readonly rows: readonly number[]; readonly storage: "S" | "f32" };
  /** Further lines of the prelude. */
  prelude?(params: P, caps: Caps): string;
  /** `values`: how many are computed. */
  buffers(params: P, values: number): readonly BufferUse[];
  /** Further members of `struct Params` that are no parameters of the same name. Members that the WGSL lacks are left out. */
  uniforms?(params: P): Readonly<Record<string, number>>;
  /** Constants of the WGSL that tell variants apart, in upper case. */
  flags?(params: P): Readonly<Record<string, boolean>>;
  /** In place of flags, where they do not say all. */
  variant?: Kernel<P>["variant"];
  flops?(params: P, values: number): number;
  /** In place of flops, where buffers are not read or written whole, once. */
  cost?: Kernel<P>["cost"];
  products?: Kernel<P>["products"];
  readonly reference: Kernel<P>["reference"];
  readonly cases: readonly Case<P>[];
  readonly tolerance: Kernel<P>["tolerance"];
}

/** The contract of a kernel with one invocation per output (or few outputs), and no memory shared among them. */
export function elementwise<P extends object>(spec: Elementwise<P>): Kernel<P> {
  const { name, source, parts = [], workgroup = 64, reference, cases, tolerance } = spec;
  const valuesOf = spec.threads ?? ((params: P) => Object.values(spec.counts(params)).reduce((a, b) => a * b, 1));
  const buffers = (params: P) => spec.buffers(params, valuesOf(params));
  const own = /struct Params \{([^}]*)\}/.exec([...parts.map(({ text }) => text), source].join("\n"))?.[1];
  const members = new Set([...(own ?? "threads:").matchAll(/^\s*(\w+):/gm)].map((m) => m[1]!));
  const alone = own === undefined ? [{ file: "kernels/lib/params.wgsl", text: threadsAlone }] : [];
  const calls = (params: P) => {
    const lanes = spec.lanes?.(params);
    return valuesOf(params) / (lanes ? lanesOf(...lanes.rows) : 1);
  };
  const shell = spec.grid
    ? []
    : spec.lanes
      ? [
          { file: "kernels/lib/chunk.wgsl", text: chunk },
          { file: "kernels/lib/spans.wgsl", text: `const WORKGROUP: u32 = ${workgroup}u;\n${spans}` },
        ]
      : [perInvocation(workgroup)];
  return {
    name,
    source: [...parts, ...alone, ...shell, { file: `kernels/${spec.group}/${name}/kernel.wgsl`, text: source }],
    check(params) {
      for (const [key, value] of Object.entries(spec.counts(params))) positiveInteger(name, key, value);
      spec.check?.(params);
      for (const buffer of buffers(params)) addressable(name, buffer.name, buffer.length);
    },
    buffers,
    variant(params, caps) {
      if (spec.variant) return spec.variant(params, caps);
      const flags = Object.entries(spec.flags?.(params) ?? {});
      const on = flags.flatMap(([flag, set]) => (set ? flag.toLowerCase() : []));
      const constants = flags.map(([flag, set]) => `const ${flag}: bool = ${set};`);
      const own = spec.prelude?.(params, caps) ?? "";
      const rows = spec.lanes?.(params);
      if (!rows) return { key: on.join("-"), prelude: [...constants, own].filter(Boolean).join("\n") };
      const lanes = storedLanes(lanesOf(...rows.rows), rows.storage, caps);
      return {
        key: [rows.storage === "S" ? "act" : "f32", lanes.key, ...on].join("-"),
        prelude: [lanes.prelude, ...constants, own].filter(Boolean).join("\n"),
      };
    },
    uniforms(params) {
      const values = { ...params, ...spec.uniforms?.(params), threads: calls(params) };
      return Object.fromEntries(Object.entries<number>(values).filter(([key]) => members.has(key)));
    },
    grid:
      spec.grid ??
      ((params, _variant, caps) => grid1d(calls(params) / (spec.lanes ? turns(caps) : 1), workgroup, caps)),
    cost(params, bytesPerAct, bytesPerWeight) {
      if (spec.cost) return spec.cost(params, bytesPerAct, bytesPerWeight);
      const precision = bytesPerAct === 2 ? "f16" : bytesPerWeight === 2 ? "f16-weights" : "f32";
      const bytes = buffers(params).map(
        (b) => b.length * elementBytes(b.type, precision) * (b.access === "update" ? 2 : 1),
      );
      return { flops: spec.flops?.(params, valuesOf(params)) ?? 0, bytes: bytes.reduce((a, b) => a + b, 0) };
    },
    ...(spec.products ? { products: spec.products } : {}),
    reference,
    cases,
    tolerance,
  };
}
