import { NcvsdError } from "../errors.js";
import type { AnyKernel, Precision, Variant } from "./contract.js";
import { overCopies } from "./copies.js";
import { composeSource, locate, type Reflection, reflectSource } from "./reflect.js";

export interface CompiledKernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly reflection: Reflection;
}

/**
 * Compiles each (kernel, variant, precision) once; concurrent requests share one compilation.
 * Layouts are explicit (from reflection), so that bind groups outlive pipelines and Dawn's own cache is hit.
 */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #entries = new Map<string, Promise<CompiledKernel>>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get size(): number {
    return this.#entries.size;
  }

  clear(): void {
    this.#entries.clear();
  }

  /** @param copied the text that also computes several copies of all tensors (copies.ts) */
  get(kernel: AnyKernel, variant: Variant, precision: Precision, copied = false): Promise<CompiledKernel> {
    const key = `${kernel.name}|${precision}|${variant.key}${copied ? "|copies" : ""}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = compile(this.#device, kernel, variant, precision, copied);
      this.#entries.set(key, entry);
      entry.catch(() => this.#entries.delete(key));
    }
    return entry;
  }
}

async function compile(device: GPUDevice, kernel: AnyKernel, variant: Variant, precision: Precision, copied: boolean) {
  const composed = await composeSource(kernel, variant, precision);
  const source = copied ? { ...composed, text: overCopies(composed.text) } : composed;
  const label = `${kernel.name} ${variant.key} ${precision}`;
  // Pushed and popped without an await between, so that concurrent compilations do not mix their scopes.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label, code: source.text });
  const moduleError = device.popErrorScope();
  const info = await module.getCompilationInfo();
  const errors = info.messages.filter((m) => m.type === "error");
  if (errors.length > 0 || (await moduleError) !== null) {
    const first = errors[0];
    const where = first ? `${locate(source, first.lineNum)}:${first.linePos}` : `kernel ${label}`;
    const what = first?.message ?? (await moduleError)?.message ?? "invalid WGSL";
    throw new NcvsdError("BAD_ARGUMENT", `${where}: ${what} (WGSL of kernel ${label})`);
  }
  const reflection = reflectSource(source.text);
  device.pushErrorScope("validation");
  const layout = device.createBindGroupLayout({
    label,
    entries: [
      { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform" } },
      ...reflection.storage.map((b) => ({
        binding: b.binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: b.writable ? ("storage" as const) : ("read-only-storage" as const) },
      })),
    ],
  });
  const pending = device.createComputePipelineAsync({
    label,
    layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  });
  const layoutError = device.popErrorScope();
  try {
    const pipeline = await pending;
    const error = await layoutError;
    if (error) throw new Error(error.message);
    return { pipeline, layout, reflection };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NcvsdError("BAD_ARGUMENT", `${kernel.source.at(-1)?.file}: no pipeline for kernel ${label}: ${reason}`, {
      cause,
    });
  }
}
