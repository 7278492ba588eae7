import { bad } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { Program, type Region } from "../../graph/program.js";
import { nonFiniteNode } from "../../graph/trace.js";
import type { EnergyParameters } from "./parameters.js";
import { backwardPass, byFeatures, coordinates, forwardPass, type PassContext } from "./passes.js";

export interface EnergySessionOptions {
  /** The caller's own buffers in place of new ones, each at least as long as said at `EnergySession`. */
  readonly x?: GPUBuffer;
  readonly labels?: GPUBuffer;
  readonly phi?: GPUBuffer;
  readonly output?: GPUBuffer;
  /** Also give z in a buffer. */
  readonly z?: boolean;
}

/**
 * A `disco-mlp` network made ready for a fixed number of rows: from `x` (and `labels`) to `phi` and `output`, all f32 on the GPU.
 * `encode` records one evaluation, any number of times; it reads nothing back and allocates nothing. A row's results do not depend
 * on the other rows, nor on how many there are.
 */
export interface EnergySession {
  readonly gpu: Gpu;
  readonly rows: number;
  /** rows x dim: read. */
  readonly x: GPUBuffer;
  /** [rows], indices of noise levels, which need not be whole: read. Conditional networks only. */
  readonly labels: GPUBuffer | undefined;
  /** [rows], phi(x) = |z(x)|^2: written. Energy networks only. */
  readonly phi: GPUBuffer | undefined;
  /** [rows, dim], the gradient of phi, or z of a direct network: written. */
  readonly output: GPUBuffer;
  /** [rows, dim], where it was asked for, and of direct networks `output` itself. */
  readonly z: GPUBuffer | undefined;
  /** Records one evaluation: passes 1 and 2. */
  encode(pass: GPUComputePassEncoder): void;
  /** Name of the first node whose output is not finite with the present inputs, or undefined: for error messages. */
  locateNonFinite(): Promise<string | undefined>;
  /** GPU memory of its own, in bytes. */
  readonly bytes: number;
  /** Gives back what is its own; the caller's buffers stay. */
  release(): void;
}

/** Rows that go through the network together: few on a processor, whose caches hold them, many on a GPU, to fill it. */
const chunkOf = (gpu: Gpu, width: number) => (gpu.caps.software ? 2048 : Math.max(4096, 2 ** 22 / width));

/**
 * Opens a session. Rows beyond a chunk of some thousands go through the network chunk by chunk, in the same memory.
 * @param rows 1 or more
 */
export async function openEnergySession(
  parameters: EnergyParameters,
  rows: number,
  options: EnergySessionOptions = {},
): Promise<EnergySession> {
  const { gpu, config, layout } = parameters;
  if (!Number.isSafeInteger(rows) || rows < 1) throw bad(`rows must be a positive integer, got ${rows}.`);
  const owned: GPUBuffer[] = [];
  const buffer = (given: GPUBuffer | undefined, name: string, elements: number) => {
    if (given) {
      if (given.size < 4 * elements)
        throw bad(`The buffer ${name} has ${given.size} bytes, and ${rows} rows need ${4 * elements}.`);
      return given;
    }
    const own = gpu.storage(`disco ${name}`, 4 * elements);
    owned.push(own);
    return own;
  };
  try {
    const { dim, energy, conditional } = config;
    const x = buffer(options.x, "x", rows * dim);
    const labels = conditional ? buffer(options.labels, "labels", rows) : undefined;
    const phi = energy ? buffer(options.phi, "phi", rows) : undefined;
    const output = buffer(options.output, "output", rows * dim);
    const z = energy ? (options.z ? buffer(undefined, "z", rows * dim) : undefined) : output;
    const graph = new Graph();
    const externals = new Map<string, GPUBuffer | Region>();
    const chunk = chunkOf(gpu, config.width);
    for (let first = 0; first < rows; first += chunk) {
      const count = Math.min(chunk, rows - first);
      const prefix = rows > chunk ? `rows ${first}.. ` : "";
      // Chunks are multiples of 64 rows: every part begins where a binding may.
      const part = (name: string, whole: GPUBuffer | undefined, each: number): Tensor | undefined => {
        if (!whole) return undefined;
        const size = Math.min(whole.size - 4 * first * each, Math.ceil((count * each * 4) / 16) * 16);
        externals.set(`${prefix}${name}`, { buffer: whole, offset: 4 * first * each, size });
        return graph.external(`${prefix}${name}`, each === 1 ? [count] : [count, each]);
      };
      const columns = Math.ceil(count / 4) * 4;
      const context: PassContext = { graph, config, layout, rows: count, columns, prefix };
      const inputs = { x: part("x", x, dim)!, labels: part("labels", labels, 1) };
      const to = { z: part("z", z, dim), phi: part("phi", phi, 1) };
      const tape = forwardPass(context, inputs, energy, to);
      if (tape.dz) {
        const features = byFeatures(context, "backward", backwardPass(context, tape, tape.dz));
        coordinates(context, tape, features, part("output", output, dim));
      }
    }
    const label = `disco-mlp of ${rows} rows`;
    const program = await Program.create(gpu, { label, graph, externals, constants: parameters });
    const own = owned.reduce((sum, { size }) => sum + size, 0);
    return {
      gpu,
      rows,
      x,
      labels,
      phi,
      output,
      z,
      encode: (pass) => program.encode(pass),
      locateNonFinite: () => nonFiniteNode(program),
      bytes: program.bytes + own,
      release() {
        program.destroy();
        for (const mine of owned.splice(0)) gpu.destroyBuffer(mine);
        gpu.flushDestroyed();
      },
    };
  } catch (error) {
    for (const mine of owned) gpu.destroyBuffer(mine);
    gpu.flushDestroyed();
    throw error;
  }
}
