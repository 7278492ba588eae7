import type { Command } from "commander";
import { kernels } from "../../kernels/index.js";
import { keptBytes } from "../checkpoint/kept-folder.js";
import { modelsFolder } from "../checkpoint/remote.js";
import { counted, NcvsdError } from "../errors.js";
import { toleranceOf } from "../gpu/contract.js";
import { type Gpu, mib, openGpu } from "../gpu/device.js";
import { listAdapters, nvidiaTrouble } from "../gpu/native.js";
import { pciAddresses } from "../gpu/twins.js";
import { prepareKernel, relativeError } from "../graph/run-kernel.js";
import { version } from "../runs/package.js";
import { table } from "../runs/table.js";
import { styled } from "../runs/terminal.js";
import { setUpAdapter } from "../setup/index.js";
import { ADAPTER_HELP } from "./parts/engine.js";

interface DoctorFlags {
  adapter?: string;
  setup?: boolean;
  check?: boolean;
  json?: boolean;
}

interface Check {
  readonly kernel: string;
  readonly cases: number;
  /** Largest ||out - ref|| / ||ref|| over its cases. */
  readonly error: number;
  readonly tolerance: number;
  readonly ok: boolean;
}

export function registerDoctor(program: Command): void {
  program
    .command("doctor")
    .summary("say which GPU adapter was found, and what to do when there is none")
    .description("Says which GPU adapter was found, its features and limits, and what to do when there is none.")
    .option(
      "--setup",
      "set up a software adapter if none works (as root or with sudo: packages; else in a cache folder)",
    )
    .option("--check", "run every kernel against its float64 reference on this adapter")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  ncvsd-gpu doctor\n  ncvsd-gpu doctor --setup\n  ncvsd-gpu doctor --check --adapter lavapipe",
    )
    .action(async (flags: DoctorFlags) => {
      let installed: string | null = null;
      if (flags.setup) ({ installed } = await setUpAdapter({ log: (line) => void process.stderr.write(`${line}\n`) }));
      const gpu = await openGpu(flags.adapter === undefined ? {} : { adapter: flags.adapter });
      try {
        const adapters = (await listAdapters()).map(({ name }) => name);
        const checks = flags.check ? await checkKernels(gpu) : undefined;
        const found = [gpu, adapters, installed, await fetchedModels(), checks] as const;
        process.stdout.write(`${flags.json ? JSON.stringify(facts(...found)) : report(...found)}\n`);
        const failed = checks?.filter((c) => !c.ok) ?? [];
        if (failed.length > 0) {
          const names = failed.map((c) => c.kernel).join(", ");
          throw new NcvsdError(
            "NOT_FINITE",
            `${counted(failed.length, "kernel")} compute${failed.length === 1 ? "s" : ""} wrongly on ${gpu.info.name} (${names}): update its driver, or choose another with --adapter.`,
          );
        }
      } finally {
        gpu.close();
      }
    });
}

async function checkKernels(gpu: Gpu): Promise<Check[]> {
  const checks: Check[] = [];
  for (const kernel of kernels) {
    let error = 0;
    let tolerance = 0;
    let ok = true;
    for (const test of kernel.cases) {
      const run = await prepareKernel(gpu, kernel, test);
      await run.program.run();
      const reference = kernel.reference(test.params, run.inputs);
      for (const [name, out] of Object.entries(await run.outputs())) {
        const found = relativeError(out, reference[name]!);
        const allowed = toleranceOf(kernel, test.params as never, name, gpu.precision);
        error = Math.max(error, found);
        tolerance = Math.max(tolerance, allowed);
        ok &&= found <= allowed;
      }
      run.program.destroy();
    }
    checks.push({ kernel: kernel.name, cases: kernel.cases.length, error, tolerance, ok });
  }
  return checks;
}

/** Networks that were fetched and are kept. */
interface Models {
  readonly folder: string | null;
  readonly files: number;
  readonly bytes: number;
}

async function fetchedModels(): Promise<Models> {
  const folder = await modelsFolder();
  return folder === undefined ? { folder: null, files: 0, bytes: 0 } : { folder, ...(await keptBytes(folder)) };
}

function facts(
  gpu: Gpu,
  adapters: readonly string[],
  installed: string | null,
  models: Models,
  checks: Check[] | undefined,
) {
  const { limits } = gpu.device;
  return {
    version,
    adapter: gpu.info,
    features: gpu.features,
    limits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    },
    subgroupSize: [gpu.caps.subgroupMinSize, gpu.caps.subgroupMaxSize],
    memoryLimit: gpu.memoryLimit ?? null,
    adapters,
    addresses: pciAddresses(adapters).map((address) => address ?? null),
    note: noteOn(gpu) ?? null,
    installed,
    models,
    ...(checks ? { checks } : {}),
  };
}

/** A GPU that is here and cannot be used, beside the software adapter that is used in its place. */
const noteOn = (gpu: Gpu) => (gpu.info.software ? nvidiaTrouble() : undefined);

function report(
  gpu: Gpu,
  adapters: readonly string[],
  installed: string | null,
  models: Models,
  checks: Check[] | undefined,
): string {
  const { limits } = gpu.device;
  const has = (feature: string) => (gpu.features.includes(feature) ? "yes" : "no");
  const { subgroupMinSize: low, subgroupMaxSize: high } = gpu.caps;
  const size = low === high ? `${low}` : `${low} to ${high}`;
  const lines = [
    ...(installed ? [`set up      ${installed}`] : []),
    `adapter     ${gpu.info.name}${gpu.info.software ? " (software: runs on the CPU)" : ""}`,
    `driver      ${gpu.info.driver || "unknown"}`,
    `f16         ${has("shader-f16")}`,
    `subgroups   ${gpu.caps.subgroups ? `yes, of ${size}` : "no"}`,
    `timestamps  ${has("timestamp-query")}`,
    `buffers     up to ${mib(limits.maxBufferSize)}, ${mib(limits.maxStorageBufferBindingSize)} in one binding`,
    `workgroups  ${limits.maxComputeInvocationsPerWorkgroup} invocations, ${limits.maxComputeWorkgroupStorageSize / 1024} KiB of shared memory`,
    ...(gpu.memoryLimit === undefined ? [] : [`memory      ${mib(gpu.memoryLimit)} free`]),
    ...(models.folder === null
      ? []
      : [`models      ${models.files} fetched, ${mib(models.bytes)}, in ${models.folder}`]),
  ];
  const note = noteOn(gpu);
  if (note) lines.push("", styled("warning", note));
  const addresses = pciAddresses(adapters);
  if (adapters.length > 1 || addresses[0]) {
    lines.push("", "adapters here, by the number that --adapter takes");
    for (const [i, name] of adapters.entries()) {
      const at = addresses[i] ? ` at PCI ${addresses[i]}` : "";
      lines.push(`${String(i).padStart(8)}    ${name}${at}`);
    }
  }
  if (checks) {
    const rows = checks.map((c) => [
      c.kernel,
      String(c.cases),
      c.error.toExponential(1),
      c.tolerance.toExponential(0),
      c.ok ? "" : "WRONG",
    ]);
    lines.push("", ...table(["kernel", "cases", "error", "allowed", ""], rows));
  }
  return lines.join("\n");
}
