import { narrowF16, widenF16 } from "../checkpoint/half.js";
import { type AnyKernel, type Case, type ElementType, elementBytes } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { Graph, type Tensor, tensorBytes } from "./graph.js";
import { Program } from "./program.js";

/** One kernel of one case made ready: its inputs are uploaded, its outputs hold poison until it runs. */
export interface KernelRun {
  readonly program: Program;
  /** Inputs as the GPU sees them (rounded to the storage type), by buffer name. */
  readonly inputs: Readonly<Record<string, Float32Array | Uint32Array>>;
  /** Fills every written buffer with poison again. */
  poison(): void;
  /** Current contents of every written buffer. */
  outputs(): Promise<Record<string, Float32Array | Uint32Array>>;
}

/** Bits that are NaN as f32 and as a pair of f16, and recognisable as u32. */
const POISON = 0xffffffff;

/** Standard normal values, reproducible, for inputs that a case does not give. */
export function normalSource(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Prepares a kernel's case on the GPU: for tests, benchmarks and the self-check. */
export async function prepareKernel<P extends object>(gpu: Gpu, kernel: AnyKernel, test: Case<P>): Promise<KernelRun> {
  const random = normalSource(1);
  const inputs: Record<string, Float32Array | Uint32Array> = {};
  const graph = new Graph();
  const uses = kernel.buffers(test.params).filter((b) => b.length > 0);
  const tensors: Record<string, Tensor> = {};
  for (const use of uses) {
    tensors[use.name] = graph.external(use.name, [use.length], use.type);
    if (use.access === "write") continue;
    const data =
      test.inputs?.(use.name, use.length, random) ??
      (use.type === "u32" ? new Uint32Array(use.length) : Float32Array.from({ length: use.length }, random));
    inputs[use.name] = rounded(data, use.type, gpu);
  }
  graph.run(kernel.name, kernel, test.params, tensors, tensors);
  const program = await Program.create(gpu, { label: `${kernel.name}: ${test.name}`, graph });
  const upload = (name: string) => {
    const tensor = tensors[name]!;
    const padded = new Uint8Array(tensorBytes(tensor, gpu.precision));
    padded.set(encode(inputs[name]!, tensor.type, gpu));
    gpu.write(program.buffer(tensor), padded);
  };
  for (const name of Object.keys(inputs)) upload(name);
  const poison = () => {
    for (const use of uses) {
      if (use.access === "update") upload(use.name);
      if (use.access !== "write") continue;
      const tensor = tensors[use.name]!;
      gpu.write(program.buffer(tensor), new Uint32Array(tensorBytes(tensor, gpu.precision) / 4).fill(POISON));
    }
  };
  poison();
  return {
    program,
    inputs,
    poison,
    async outputs() {
      const result: Record<string, Float32Array | Uint32Array> = {};
      for (const use of uses) {
        if (use.access === "read") continue;
        const tensor = tensors[use.name]!;
        const bytes = await gpu.read(program.buffer(tensor), tensorBytes(tensor, gpu.precision));
        result[use.name] = decode(bytes, use.type, gpu).subarray(0, use.length);
      }
      return result;
    },
  };
}

function encode(data: Float32Array | Uint32Array, type: ElementType, gpu: Gpu): Uint8Array {
  const stored = elementBytes(type, gpu.precision) === 2 ? narrowF16(data as Float32Array) : data;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

function decode(bytes: ArrayBuffer, type: ElementType, gpu: Gpu): Float32Array | Uint32Array {
  if (type === "u32") return new Uint32Array(bytes);
  return elementBytes(type, gpu.precision) === 2 ? widenF16(new Uint16Array(bytes)) : new Float32Array(bytes);
}

function rounded(data: Float32Array | Uint32Array, type: ElementType, gpu: Gpu): Float32Array | Uint32Array {
  return elementBytes(type, gpu.precision) === 2 ? widenF16(narrowF16(data as Float32Array)) : data;
}

/** ||out - ref|| / ||ref||; a non-finite pair counts as equal only when both are the same. */
export function relativeError(out: ArrayLike<number>, ref: ArrayLike<number>): number {
  if (out.length !== ref.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < ref.length; i++) {
    const a = out[i]!;
    const b = ref[i]!;
    if (Object.is(a, b) || a === b) {
      if (Number.isFinite(b)) norm += b * b;
      continue;
    }
    difference += (a - b) ** 2;
    norm += b * b;
  }
  if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
  return difference === 0 ? 0 : Math.sqrt(difference / (norm || 1));
}
