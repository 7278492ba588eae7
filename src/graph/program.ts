import { widenF16 } from "../checkpoint/half.js";
import { NcvsdError } from "../errors.js";
import { type Caps, elementBytes, type Precision, type Variant } from "../gpu/contract.js";
import { type Gpu, mib } from "../gpu/device.js";
import { packUniforms } from "../gpu/reflect.js";
import { copyBytes, type Graph, type Node, nodeCaps, type Tensor, tensorBytes } from "./graph.js";
import { type MemoryPlan, planMemory, verifyPlan } from "./plan.js";

interface Dispatch {
  readonly node: Node;
  readonly variant: Variant;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: readonly [number, number, number];
}

/** A part of a buffer, as it is bound: `offset` is a multiple of 256. */
export interface Region {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

export interface ProgramOptions {
  /** What it is, for messages. */
  readonly label: string;
  readonly graph: Graph;
  /** Buffers, or parts of them, of what programs share, by name: constant tensors, and externals that nobody gives below. They are held as long as the program is there. */
  readonly constants?: Pick<ReadonlyMap<string, GPUBuffer | Region>, "get"> & { hold?(): () => void };
  /** Buffers, or parts of them, of external tensors that someone else owns, by name; the others are allocated here. */
  readonly externals?: ReadonlyMap<string, GPUBuffer | Region>;
  readonly plan?: MemoryPlan;
  /** Storage type of activations and packed weights; absent: the device's. */
  readonly precision?: Precision;
}

/** What variants are chosen by in this precision: what was measured, and units that are there, in the device's own is left out in others. */
function capsIn({ caps }: Gpu, precision: Precision): Caps {
  if (precision === caps.precision) return caps;
  const { tuning, matrices, ...rest } = caps;
  return { ...rest, precision };
}

/**
 * A graph made ready for one device: memory planned and allocated, pipelines compiled, bind groups made, all once.
 * Replaying it allocates nothing.
 */
export class Program {
  readonly gpu: Gpu;
  readonly label: string;
  readonly graph: Graph;
  readonly plan: MemoryPlan;
  /** In order. */
  readonly dispatches: readonly Dispatch[];
  readonly #regions: ReadonlyMap<number, Region>;
  readonly #owned: readonly GPUBuffer[];
  readonly #release: (() => void) | undefined;
  #checked = false;
  #destroyed = false;

  private constructor(
    gpu: Gpu,
    options: ProgramOptions,
    plan: MemoryPlan,
    dispatches: Dispatch[],
    regions: Map<number, Region>,
    owned: GPUBuffer[],
    release: (() => void) | undefined,
  ) {
    this.gpu = gpu;
    this.label = options.label;
    this.graph = options.graph;
    this.plan = plan;
    this.dispatches = dispatches;
    this.#regions = regions;
    this.#owned = owned;
    this.#release = release;
  }

  /** @throws OUT_OF_MEMORY when the plan does not fit, BAD_ARGUMENT when a kernel does not compile. */
  static async create(gpu: Gpu, options: ProgramOptions): Promise<Program> {
    const { graph, label } = options;
    const { precision = gpu.precision } = options;
    const caps = capsIn(gpu, precision);
    const plan = options.plan ?? planMemory(graph, precision, gpu.device.limits.maxBufferSize);
    verifyPlan(graph, plan);
    checkLimits(gpu, label, graph, precision);
    // One text of a kernel for all of its nodes, those of one copy too.
    const copied = new Set(graph.nodes.flatMap(({ kernel, copies }) => (copies > 1 ? [kernel.name] : [])));
    const release = options.constants?.hold?.();
    const owned: GPUBuffer[] = [];
    const own = (name: string, bytes: number) => {
      const buffer = gpu.storage(name, bytes);
      owned.push(buffer);
      return buffer;
    };
    try {
      const compiled = await Promise.all(
        graph.nodes.map((node) => {
          const variant = node.kernel.variant(node.params as never, nodeCaps(node, caps));
          return gpu.pipelines
            .get(node.kernel, variant, precision, copied.has(node.kernel.name))
            .then((entry) => ({ node, variant, ...entry }));
        }),
      );
      return await gpu.scoped(`Preparing ${label}`, () => {
        const arenas = plan.arenas.map((bytes, i) => own(`${label} arena ${i}`, bytes));
        const regions = new Map<number, Region>();
        for (const tensor of graph.tensors) {
          const region = tensor.view
            ? partOf(tensor, regions.get(tensor.view.of.id)!, plan)
            : regionOf(tensor, arenas, plan, options, own);
          regions.set(tensor.id, region);
        }
        const alignment = gpu.device.limits.minUniformBufferOffsetAlignment;
        const strides = compiled.map((c) => Math.ceil(c.reflection.uniformSize / alignment) * alignment);
        const uniforms = gpu.createBuffer(
          `${label} parameters`,
          strides.reduce((a, b) => a + b, 0),
          GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
        );
        owned.push(uniforms);
        let offset = 0;
        const dispatches = compiled.map(({ node, variant, pipeline, layout, reflection }, i): Dispatch => {
          const params = node.params as never;
          const values = packUniforms(node.kernel.name, reflection, node.kernel.uniforms(params));
          gpu.write(uniforms, new Uint8Array(values), offset);
          const entries: GPUBindGroupEntry[] = [
            { binding: 0, resource: { buffer: uniforms, offset, size: reflection.uniformSize } },
            ...reflection.storage.map((b) => {
              const tensor = node.reads[b.name] ?? node.writes[b.name];
              return {
                binding: b.binding,
                resource: tensor ? regions.get(tensor.id)! : { buffer: gpu.dummy(b.binding) },
              };
            }),
          ];
          offset += strides[i]!;
          const bindGroup = gpu.device.createBindGroup({ label: node.name, layout, entries });
          const [x, y] = node.kernel.grid(params, variant, nodeCaps(node, caps));
          return { node, variant, pipeline, bindGroup, grid: [x, y, node.copies] };
        });
        return new Program(gpu, options, plan, dispatches, regions, owned, release);
      });
    } catch (error) {
      for (const buffer of owned) gpu.destroyBuffer(buffer);
      gpu.flushDestroyed();
      release?.();
      throw error;
    }
  }

  /** The buffer of an external or constant tensor; activations share arenas and are read with `readTensor`. */
  buffer(tensor: Tensor): GPUBuffer {
    if (tensor.kind === "activation") throw new Error(`${tensor.name} is an activation: it has no buffer of its own`);
    return this.#regions.get(tensor.id)!.buffer;
  }

  /** GPU memory that it allocated itself. */
  get bytes(): number {
    return this.#owned.reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /** Records all dispatches into a pass, or those of the nodes from `from` up to but excluding `to`. */
  encode(pass: GPUComputePassEncoder, from = 0, to = this.dispatches.length): void {
    for (let i = from; i < to; i++) {
      const { pipeline, bindGroup, grid } = this.dispatches[i]!;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    }
  }

  /** Submits one replay. The first is watched by error scopes. */
  async run(): Promise<void> {
    if (this.#checked) {
      this.submit();
      return;
    }
    await this.gpu.scoped(`First run of ${this.label}`, () => this.submit());
    this.#checked = true;
  }

  /** Submits one replay without waiting for anything. */
  submit(): void {
    this.gpu.check();
    const encoder = this.gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.encode(pass);
    pass.end();
    this.gpu.device.queue.submit([encoder.finish()]);
  }

  /** Runs node by node and calls `visit` after each until it says false: for finding the node where something went wrong. */
  async trace(visit: (node: Node, read: (tensor: Tensor) => Promise<Float32Array>) => Promise<boolean>): Promise<void> {
    for (const { node, pipeline, bindGroup, grid } of this.dispatches) {
      const encoder = this.gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...grid);
      pass.end();
      this.gpu.device.queue.submit([encoder.finish()]);
      if (!(await visit(node, (tensor) => this.readTensor(tensor)))) return;
    }
  }

  /** Values of an f32 or act tensor, as they stand now; of all its copies. */
  async readTensor(tensor: Tensor): Promise<Float32Array> {
    const { buffer, offset, size } = this.#regions.get(tensor.id)!;
    const bytes = await this.gpu.read(buffer, size, offset);
    const half = elementBytes(tensor.type, this.plan.precision) === 2;
    const values = half ? widenF16(new Uint16Array(bytes)) : new Float32Array(bytes);
    const { length, copies } = tensor;
    if (copies === 1) return values.subarray(0, length);
    const stride = values.length / copies;
    const packed = new Float32Array(copies * length);
    for (let i = 0; i < copies; i++) packed.set(values.subarray(i * stride, i * stride + length), i * length);
    return packed;
  }

  /** Releases activations, parameters and externals that it allocated; weights and shared externals stay. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const buffer of this.#owned) this.gpu.destroyBuffer(buffer);
    this.gpu.flushDestroyed();
    this.#release?.();
  }
}

function regionOf(
  tensor: Tensor,
  arenas: readonly GPUBuffer[],
  plan: MemoryPlan,
  options: ProgramOptions,
  own: (name: string, bytes: number) => GPUBuffer,
): Region {
  const size = tensorBytes(tensor, plan.precision);
  if (tensor.kind === "activation") {
    const place = plan.places.get(tensor.id)!;
    return { buffer: arenas[place.arena]!, offset: place.offset, size };
  }
  const constant = tensor.kind === "constant";
  const given = (constant ? undefined : options.externals?.get(tensor.name)) ?? options.constants?.get(tensor.name);
  if (constant && !given) throw new Error(`${options.label}: no buffer for the weight ${tensor.name}`);
  const buffer = given ?? own(tensor.name, size);
  return "offset" in buffer ? buffer : { buffer, offset: 0, size };
}

function partOf(tensor: Tensor, { buffer, offset }: Region, { precision }: MemoryPlan): Region {
  const first = offset + tensor.view!.first * copyBytes(tensor, precision);
  return { buffer, offset: first, size: tensorBytes(tensor, precision) };
}

/** Names the tensor that exceeds what one binding can hold, before anything is allocated. */
function checkLimits(gpu: Gpu, label: string, graph: Graph, precision: Precision): void {
  const limit = gpu.bindingBytes;
  for (const tensor of graph.tensors) {
    const bytes = tensorBytes(tensor, precision);
    if (bytes <= limit) continue;
    throw new NcvsdError(
      "OUT_OF_MEMORY",
      `${label}: the tensor ${tensor.name} [${tensor.shape}] needs ${mib(bytes)}, but a binding on ${gpu.info.name} holds at most ${mib(limit)}.`,
    );
  }
}
