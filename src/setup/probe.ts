/** Tries an adapter out in a child process, because a broken driver may end the process that loads it. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import {
  type CachedDriver,
  DAWN_FLAGS,
  DLOPEN_AND_KEEP,
  type DriverAccess,
  defaultAccess,
  driverAccess,
  driverFolder,
  readDriverMarker,
  sameAdapter,
} from "../gpu/native.js";
import { complaint, run } from "./command.js";

export interface AdapterProbe {
  /** True when the adapter was found, gave a device, and computed a small sum correctly. */
  readonly ok: boolean;
  /** Why not; one line. */
  readonly reason?: string;
  readonly name?: string;
  readonly vendor?: string;
  readonly driver?: string;
  readonly software?: boolean;
  /** Whether the driver is the system's or one that set-up placed in the cache folder. */
  readonly origin?: "system" | "cache";
}

/** Which driver to probe. `default`: what `openGpu()` without a name would use. */
export type ProbeTarget =
  | "default"
  | "system"
  | { readonly folder: string; readonly driver: CachedDriver; readonly alone: boolean };

const TIMEOUT = 120_000;
const NO_ACCESS: DriverAccess = { preload: [], env: {} };

// Plain JavaScript of its own, so that the child needs nothing but the webgpu package.
const CHILD = `
const { url, preload, flags, keep } = JSON.parse(process.env.NCVSD_PROBE);
const say = (result) => { process.stdout.write("\\n" + JSON.stringify(result) + "\\n", () => process.exit(0)); };
const loaded = (file) => {
  try { process.dlopen({ exports: {} }, file, keep); } catch (e) { return e.message.startsWith("Module did not self") || e.message; }
  return true;
};
for (const file of preload) loaded(file);
const loader = process.platform === "linux" ? loaded("libvulkan.so.1") : true;
if (loader !== true) say({ ok: false, reason: "there is no Vulkan loader" });
else {
  const { create, globals } = await import(url);
  Object.assign(globalThis, globals);
  const gpu = (globalThis.ncvsdGpu = create(flags));
  const adapter = await gpu.requestAdapter();
  if (!adapter) say({ ok: false, reason: "there is no Vulkan driver that Dawn accepts" });
  else {
    const { vendor, architecture, device: model, description: driver } = adapter.info;
    const name = model.replace(/-+$/, "") || driver;
    const device = await adapter.requestDevice();
    const out = device.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    const back = device.createBuffer({ size: 256, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const code = "@group(0) @binding(0) var<storage, read_write> o: array<f32>;" +
      "@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) { o[g.x] = fma(f32(g.x), 2.0, 1.0); }";
    const module = device.createShaderModule({ code });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: out } }] });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline); pass.setBindGroup(0, group); pass.dispatchWorkgroups(1); pass.end();
    encoder.copyBufferToBuffer(out, 0, back, 0, 256);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(GPUMapMode.READ);
    const ok = new Float32Array(back.getMappedRange()).every((v, i) => v === 2 * i + 1);
    const software = /software|swiftshader|llvmpipe|basic render/i.test([vendor, architecture, name, driver].join(" "));
    say({ ok, ...(!ok && { reason: "the adapter computes wrong numbers" }), name, vendor, driver, software });
  }
}
`;

/**
 * Finds out whether an adapter works. Installs and changes nothing.
 * @param target `default`: what `openGpu()` uses; `system`: as if the cache folder were empty; or one cached driver
 */
export async function probeAdapter(target: ProbeTarget = "default"): Promise<AdapterProbe> {
  const folder = driverFolder();
  const marker = target === "default" && process.platform === "linux" ? readDriverMarker(folder) : null;
  const access =
    (typeof target === "object"
      ? driverAccess(target.folder, target.driver, target.alone)
      : defaultAccess(folder, marker)) ?? NO_ACCESS;
  let url: string;
  try {
    url = pathToFileURL(createRequire(import.meta.url).resolve("webgpu")).href;
  } catch {
    return { ok: false, reason: "the npm package webgpu is not installed" };
  }
  const task = { url, preload: access.preload, flags: DAWN_FLAGS, keep: DLOPEN_AND_KEEP };
  const env = { ...process.env, ...access.env, NCVSD_PROBE: JSON.stringify(task) };
  const result = await run(process.execPath, ["--input-type=module", "-e", CHILD], { env, timeout: TIMEOUT });
  const line = result.stdout.trim().split("\n").pop() ?? "";
  let probe: AdapterProbe;
  try {
    probe = JSON.parse(line) as AdapterProbe;
  } catch {
    return { ok: false, reason: `the driver ended the process (${complaint(result)})` };
  }
  if (!probe.ok) return probe;
  // With the cached driver added to the system's, either may have been chosen.
  const name = marker?.drivers[marker.default ?? ""]?.adapter;
  const cached = typeof target === "object" || (name !== undefined && sameAdapter(name, probe.name ?? ""));
  return { ...probe, origin: cached ? "cache" : "system" };
}
