import { checkKeys, NcvsdError } from "../errors.js";
import { node } from "../node/modules.js";
import { readableName } from "./adapter-name.js";
import type { Caps, MatrixShape, Precision } from "./contract.js";
import { MATRIX_FEATURE, matricesOf, matricesRecord } from "./matrices.js";
import { PipelineCache } from "./pipeline.js";
import { ratesOn } from "./rates.js";
import type { Tuning, TuningIdentity } from "./tuning.js";
import { settle } from "./wait.js";

export interface OpenGpuOptions {
  /** Part of an adapter's name (`lavapipe`, `NVIDIA`), or its number in `doctor`'s list; default: the platform's choice. Node only. */
  readonly adapter?: string;
  readonly powerPreference?: "low-power" | "high-performance";
  /**
   * Storage type of weights and activations. `f16` without the adapter's `shader-f16` means `f16-weights`; `auto` is f16 on a GPU
   * and f32 on a software adapter, where f16 saves memory but no time. Default `f32`.
   */
  readonly precision?: Precision | "auto";
  /** Matrix units, where the adapter has them and precision is f16: `auto` (the default) or `off`. Experimental. */
  readonly tensorCores?: "auto" | "off";
  /** Refuse to allocate more GPU memory than this many bytes; default: what the adapter and the host allow. */
  readonly memoryLimit?: number;
  /**
   * Choices of a tuner, by the names of layers and kernels (see `Caps.tuning`). Default: in Node those that `ncvsd-gpu bench
   * --tune` has stored for this adapter; false: the cost models choose.
   */
  readonly tuning?: ReadonlyMap<string, string> | false;
}

export interface AdapterInfo {
  /** For people: "llvmpipe (LLVM 15.0.6, 256 bits)". */
  readonly name: string;
  /** As WebGPU tells it, by which tuned choices are kept: "llvmpipe-llvm-15-0-6-256-bits-". */
  readonly device: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly driver: string;
  readonly software: boolean;
}

/**
 * Opens an adapter with its own limits and every feature that the engine can use.
 * @throws NcvsdError NO_ADAPTER when none is found; BAD_ARGUMENT for a precision, or a `tensorCores`, that there is not.
 */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  checkKeys("openGpu", options, {
    adapter: true,
    powerPreference: true,
    precision: true,
    tensorCores: true,
    memoryLimit: true,
    tuning: true,
  });
  const { tensorCores = "auto" } = options;
  if (tensorCores !== "auto" && tensorCores !== "off")
    throw new NcvsdError("BAD_ARGUMENT", `tensorCores must be auto or off, got ${String(tensorCores).slice(0, 60)}.`);
  // Experimental interfaces are opened to those only who may use them.
  const experimental = tensorCores === "auto" && /^(f16|auto)$/.test(options.precision ?? "f32");
  const gpu = await nativeOrBrowserGpu({ ...(options.adapter ? { adapter: options.adapter } : {}), experimental });
  const adapter = await gpu.requestAdapter(
    options.powerPreference ? { powerPreference: options.powerPreference } : undefined,
  );
  if (!adapter) {
    const wanted = options.adapter ? ` "${options.adapter}"` : "";
    throw new NcvsdError(
      "NO_ADAPTER",
      `No WebGPU adapter${wanted} was found: run \`ncvsd-gpu doctor\` to see what to install.`,
    );
  }
  const able = { software: isSoftware(adapter), half: adapter.features.has("shader-f16") };
  const precision = precisionOn(able, options.precision ?? "f32");
  const matrices = matricesOf(adapter, precision, tensorCores);
  const wanted = ["shader-f16", "subgroups", "timestamp-query"].filter((f) => adapter.features.has(f));
  if (matrices) wanted.push(MATRIX_FEATURE);
  const device = await adapter.requestDevice({
    label: "ncvsd-gpu",
    requiredFeatures: wanted as GPUFeatureName[],
    requiredLimits: ownLimits(adapter),
  });
  const memoryLimit = options.memoryLimit ?? (await hostMemory(adapter));
  return new Gpu(
    adapter,
    device,
    precision,
    memoryLimit,
    await tuningFor(adapter, { precision, ...matricesRecord({ matrices }) }, options.tuning),
    matrices,
  );
}

async function tuningFor(
  adapter: GPUAdapter,
  use: Pick<TuningIdentity, "precision" | "matrices">,
  given: OpenGpuOptions["tuning"],
): Promise<Tuning | undefined> {
  if (given === false) return undefined;
  if (given) return { choices: given, file: null };
  if (browserGpu()) return undefined;
  const { cachedTuning } = await import("./native.js");
  const { device, vendor, architecture, driver } = infoOf(adapter);
  return cachedTuning({ adapter: device, vendor, architecture, driver, ...use });
}

/** The storage type that is used where this one is asked of an adapter. @throws NcvsdError BAD_ARGUMENT */
export function precisionOn(
  { software, half }: { readonly software: boolean; readonly half: boolean },
  wanted: Precision | "auto",
): Precision {
  if (!["f32", "f16", "f16-weights", "auto"].includes(wanted)) {
    throw new NcvsdError("BAD_ARGUMENT", `precision must be f32, f16, f16-weights or auto, got ${wanted}.`);
  }
  const asked = wanted !== "auto" ? wanted : software ? "f32" : "f16";
  return asked === "f16" && !half ? "f16-weights" : asked;
}

const browserGpu = () => (globalThis.navigator as Navigator | undefined)?.gpu;

async function nativeOrBrowserGpu(options: {
  readonly adapter?: string;
  readonly experimental: boolean;
}): Promise<GPU> {
  const browser = browserGpu();
  if (browser) return browser;
  const { loadNativeGpu } = await import("./native.js");
  return loadNativeGpu(options);
}

/** Everything the adapter has: the largest EDM2 tensors exceed the default 128 MiB per binding. */
function ownLimits(adapter: GPUAdapter): Record<string, number> {
  const names = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "maxComputeWorkgroupSizeY",
    "maxComputeWorkgroupStorageSize",
    "maxComputeWorkgroupsPerDimension",
  ] as const;
  return Object.fromEntries(names.map((n) => [n, adapter.limits[n]]));
}

function isSoftware(adapter: GPUAdapter): boolean {
  const { info } = adapter;
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`.toLowerCase();
  return info.isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software|basic render/.test(text);
}

function infoOf(adapter: GPUAdapter): AdapterInfo {
  const { device: told, vendor, architecture, description: driver } = adapter.info;
  // Deno's device is a number on the bus.
  const names = /^\d*$/.test(told) ? [driver, vendor, told] : [told];
  const device = names.find((name) => name !== "") ?? "unknown adapter";
  return { name: readableName(device), device, vendor, architecture, driver, software: isSoftware(adapter) };
}

/** A software adapter's memory is the host's: leave a tenth of what is free now. Undefined: unknown. */
async function hostMemory(adapter: GPUAdapter): Promise<number | undefined> {
  if (!isSoftware(adapter) || typeof process === "undefined" || !process.versions?.node) return undefined;
  const { freemem } = await node.os();
  return Math.floor(freemem() * 0.9);
}

/** An open device: buffers, pipelines, waiting. Close it to let the process end. */
export class Gpu {
  readonly device: GPUDevice;
  readonly info: AdapterInfo;
  readonly features: readonly string[];
  readonly caps: Caps;
  readonly precision: Precision;
  readonly pipelines: PipelineCache;
  /** Bytes that may be allocated in all; undefined: the adapter does not say. */
  readonly memoryLimit: number | undefined;
  /** The tuned choices that are in use (`caps.tuning`), and their file. */
  readonly tuning: Tuning | undefined;
  /** GPU memory held by buffers of this device now, in bytes. */
  allocatedBytes = 0;
  /** Buffers created since the device was opened. */
  allocations = 0;

  /** Resolves when the device is gone: lost (code DEVICE_LOST; open it again and repeat), or closed. Never rejects. */
  readonly lost: Promise<NcvsdError>;

  readonly #dummies: GPUBuffer[] = [];
  readonly #staging = new Map<number, GPUBuffer>();
  #failure: NcvsdError | undefined;
  #closed = false;
  readonly #onClose = new Set<() => void>();
  /** What is kept for reuse; it can be collected with whoever keeps it. */
  readonly #reserves = new Set<WeakRef<Reserve>>();
  #lost: NcvsdError | undefined;
  /** Those who wait for the device now. (Races against one promise that never settles would pile up in it.) */
  readonly #waiting = new Set<(error: NcvsdError) => void>();
  readonly #onError: (event: Event) => void;

  constructor(
    adapter: GPUAdapter,
    device: GPUDevice,
    precision: Precision,
    memoryLimit: number | undefined,
    tuning?: Tuning,
    matrices?: MatrixShape,
  ) {
    this.device = device;
    this.precision = precision;
    this.memoryLimit = memoryLimit;
    this.pipelines = new PipelineCache(device);
    this.features = [...adapter.features].sort();
    const { info } = adapter;
    this.info = infoOf(adapter);
    this.tuning = tuning;
    const rates = ratesOn(this.info, tuning);
    this.caps = {
      precision,
      subgroups: device.features.has("subgroups"),
      subgroupMinSize: info.subgroupMinSize ?? 0,
      subgroupMaxSize: info.subgroupMaxSize ?? 0,
      software: this.info.software,
      maxWorkgroupSize: device.limits.maxComputeInvocationsPerWorkgroup,
      maxWorkgroupsPerDimension: device.limits.maxComputeWorkgroupsPerDimension,
      ...(rates ? { rates } : {}),
      ...(matrices ? { matrices } : {}),
      ...(tuning ? { tuning: tuning.choices } : {}),
    };
    this.lost = device.lost.then((lost) => {
      const error = new NcvsdError(
        "DEVICE_LOST",
        `The GPU device was lost (${lost.message || lost.reason}): nothing more can run on it; open it again and repeat.`,
      );
      if (!this.#closed) this.#failure ??= error;
      this.#lost = error;
      for (const reject of this.#waiting) reject(error);
      return error;
    });
    this.#onError = (event) => {
      const error = (event as GPUUncapturedErrorEvent).error;
      const memory = error.constructor.name === "GPUOutOfMemoryError";
      this.#failure ??= memory
        ? new NcvsdError("OUT_OF_MEMORY", `The adapter ${this.info.name} ran out of memory: take a smaller batch.`, {
            cause: error,
          })
        : new NcvsdError("BAD_ARGUMENT", `The GPU refused an operation: ${error.message}`, { cause: error });
    };
    device.addEventListener("uncapturederror", this.#onError);
  }

  /** The most bytes of one binding: of a whole buffer. */
  get bindingBytes(): number {
    return Math.min(this.device.limits.maxStorageBufferBindingSize, this.device.limits.maxBufferSize);
  }

  /** @throws the first error that the device reported outside of any scope, DEVICE_LOST included. */
  check(): void {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new NcvsdError("DEVICE_LOST", "The GPU device is closed: open it again with openGpu().");
  }

  /** Creates a buffer; inside `scoped` an allocation that fails becomes OUT_OF_MEMORY. */
  createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    this.check();
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const limit = this.device.limits.maxBufferSize;
    if (size > limit) {
      throw new NcvsdError(
        "OUT_OF_MEMORY",
        `${label} needs ${mib(size)}, but a buffer on ${this.info.name} holds at most ${mib(limit)}.`,
      );
    }
    const short = () => this.memoryLimit !== undefined && this.allocatedBytes + size > this.memoryLimit;
    if (short()) this.reclaim();
    if (short()) {
      throw new NcvsdError(
        "OUT_OF_MEMORY",
        `${label} needs ${mib(size)}, but only ${mib(Math.max(0, this.memoryLimit! - this.allocatedBytes))} of GPU memory are left.`,
      );
    }
    const buffer = this.device.createBuffer({ label, size, usage });
    this.allocatedBytes += size;
    this.allocations += 1;
    return buffer;
  }

  /** A storage buffer that can be written, read and copied. */
  storage(label: string, bytes: number): GPUBuffer {
    return this.createBuffer(label, bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC);
  }

  destroyBuffer(buffer: GPUBuffer): void {
    this.allocatedBytes -= buffer.size;
    buffer.destroy();
  }

  /** Dawn frees destroyed buffers at a later submit only. */
  flushDestroyed(): void {
    if (!this.#closed) this.device.queue.submit([]);
  }

  /** A small buffer for a binding that a variant does not use; one per binding, since writable buffers may not alias. */
  dummy(binding: number): GPUBuffer {
    this.#dummies[binding] ??= this.storage(`unused binding ${binding}`, 256);
    return this.#dummies[binding];
  }

  write(buffer: GPUBuffer, data: ArrayBufferView, byteOffset = 0): void {
    this.check();
    this.device.queue.writeBuffer(buffer, byteOffset, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }

  /** Runs `action` under error scopes for validation, memory and internal errors and waits for their verdict. */
  async scoped<T>(what: string, action: () => T): Promise<T> {
    this.check();
    const filters = ["validation", "out-of-memory", "internal"] as const;
    for (const filter of filters) this.device.pushErrorScope(filter);
    let result: T | undefined;
    let thrown: unknown;
    try {
      result = action();
    } catch (error) {
      thrown = error;
    }
    const verdicts = filters.map(() => this.device.popErrorScope());
    const [internal, memory, validation] = await this.wait(Promise.all(verdicts));
    if (thrown !== undefined) throw thrown;
    if (memory) throw new NcvsdError("OUT_OF_MEMORY", `${what}: the adapter ${this.info.name} has not enough memory.`);
    const error = validation ?? internal;
    if (error) throw new NcvsdError("BAD_ARGUMENT", `${what}: ${error.message}`, { cause: error });
    return result as T;
  }

  /** Awaits a GPU promise without taking a core from a software adapter; rejects with DEVICE_LOST when the device goes. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    let stop: (error: NcvsdError) => void = () => {};
    const lost = new Promise<never>((_, reject) => {
      stop = reject;
    });
    if (this.#lost) stop(this.#lost);
    else this.#waiting.add(stop);
    try {
      const result = await settle(Promise.race([promise, lost]), this.info.software).catch(async (error) => {
        // A rejected map often precedes the news of the loss by a tick.
        await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, 0))]);
        throw error;
      });
      if (this.#failure) throw this.#failure;
      return result;
    } finally {
      this.#waiting.delete(stop);
    }
  }

  /** Waits until all submitted work is done. */
  async idle(): Promise<void> {
    this.check();
    await this.wait(this.device.queue.onSubmittedWorkDone());
  }

  /** Copies `bytes` (a multiple of 4) of a buffer to the host. */
  async read(buffer: GPUBuffer, bytes: number, byteOffset = 0): Promise<ArrayBuffer> {
    this.check();
    const staging = this.#takeStaging(bytes);
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, byteOffset, staging, 0, bytes);
      this.device.queue.submit([encoder.finish()]);
      await this.wait(staging.mapAsync(GPUMapMode.READ, 0, bytes));
      const copy = staging.getMappedRange(0, bytes).slice(0);
      staging.unmap();
      this.#returnStaging(staging);
      return copy;
    } catch (error) {
      if (this.#failure && error !== this.#failure) throw this.#failure;
      throw error;
    }
  }

  async readF32(buffer: GPUBuffer, length: number, offset = 0): Promise<Float32Array> {
    return new Float32Array(await this.read(buffer, 4 * length, 4 * offset));
  }

  #takeStaging(bytes: number): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const idle = this.#staging.get(size);
    this.#staging.delete(size);
    return idle ?? this.createBuffer("readback", size, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
  }

  #returnStaging(buffer: GPUBuffer): void {
    if (this.#staging.has(buffer.size)) this.destroyBuffer(buffer);
    else this.#staging.set(buffer.size, buffer);
  }

  /** Runs `action` when the device is closed. @returns takes it back */
  onClose(action: () => void): () => void {
    this.#onClose.add(action);
    return () => void this.#onClose.delete(action);
  }

  /** Counts on `reserve` when memory runs short. */
  reserve(reserve: Reserve): void {
    for (const known of this.#reserves) if (!known.deref()) this.#reserves.delete(known);
    this.#reserves.add(new WeakRef(reserve));
  }

  /** Has all that is kept for reuse given back. */
  reclaim(): void {
    for (const known of this.#reserves) known.deref()?.drop();
    this.flushDestroyed();
  }

  /** Releases everything on the device; the process can then end by itself. */
  close(): void {
    if (this.#closed) return;
    for (const action of this.#onClose) action();
    this.#onClose.clear();
    this.#reserves.clear();
    this.#closed = true;
    // Dawn keeps a device with a listener, and so everything here, for good.
    this.device.removeEventListener("uncapturederror", this.#onError);
    this.pipelines.clear();
    this.#staging.clear();
    this.#dummies.length = 0;
    this.device.destroy();
    this.allocatedBytes = 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Something kept for reuse that can be given back. */
export interface Reserve {
  drop(): void;
}

export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 100 * 2 ** 20 ? 1 : 0)} MiB`;
}
