/**
 * Dawn in Node: loads the `webgpu` package, finds the driver that set-up may have placed in the cache folder,
 * and picks an adapter by name. Nothing here installs anything: src/setup does.
 *
 * A driver in the cache has to work without the user exporting anything, and on a machine that has no Vulkan loader
 * at all. Two facts make that possible without writing into node_modules or starting the process again:
 * - glibc answers `dlopen("libvulkan.so.1")` with a library of that soname which is already in the process. So the
 *   cached loader, and the libraries that the cached driver links to, are opened beforehand with RTLD_NODELETE:
 *   `process.dlopen` then complains that they are no addon and closes them, but they stay loaded.
 * - the Vulkan loader reads its environment when Dawn discovers adapters, which is inside the first
 *   `requestAdapter()` call: variables set around that call are enough, and the user's are left as they were.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { NcvsdError } from "../errors.js";
import { readableName } from "./adapter-name.js";
import { cacheFolder } from "./cache-folder.js";
import { nvidiaSentence, readNvidiaFacts } from "./native-nvidia.js";
import { manifestAccess, twinAccess } from "./twins.js";

export { cachedTuning } from "./tuning-cache.js";

/** One driver in the cache folder. Paths are relative to that folder. */
export interface CachedDriver {
  /** The Vulkan ICD manifest. */
  readonly icd: string;
  /** Shared libraries to open first, in this order; the Vulkan loader is among them. */
  readonly preload: readonly string[];
  /** The adapter's name as Dawn tells it. */
  readonly adapter: string;
  /** Where it came from, for people. */
  readonly source: string;
}

/** `driver.json` in the cache folder: what set-up has placed there. */
export interface DriverMarker {
  readonly format: 1;
  /** Key of the driver to use because the system has no working adapter; null: the system's own is used. */
  readonly default: string | null;
  /** Hide the system's drivers, because one of them breaks the process. */
  readonly exclusive: boolean;
  readonly drivers: Readonly<Record<string, CachedDriver>>;
}

/** What makes a cached driver visible: libraries to open and environment variables for the discovery. */
export interface DriverAccess {
  readonly preload: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export const MARKER_FILE = "driver.json";

/** RTLD_NOW | RTLD_NODELETE of glibc; Node names no constant for the second. */
export const DLOPEN_AND_KEEP = 0x1002;

/** Dawn switches: f16 on NVIDIA under Vulkan is off by default; timestamps are rounded to 65 us by default. */
export const DAWN_FLAGS: readonly string[] = [
  "enable-dawn-features=vulkan_enable_f16_on_nvidia",
  "disable-dawn-features=timestamp_quantization",
];

/** `$XDG_CACHE_HOME/ncvsd-gpu/driver`, by default `~/.cache/ncvsd-gpu/driver`. */
export function driverFolder(env: NodeJS.ProcessEnv = process.env): string {
  return cacheFolder("driver", env);
}

/** Reads `driver.json`; drivers whose manifest is gone are left out. Null when there is none or it is not readable. */
export function readDriverMarker(folder: string = driverFolder()): DriverMarker | null {
  try {
    const marker = JSON.parse(readFileSync(join(folder, MARKER_FILE), "utf8")) as DriverMarker;
    if (marker.format !== 1 || typeof marker.drivers !== "object" || marker.drivers === null) return null;
    const present = Object.entries(marker.drivers).filter(
      ([, d]) => typeof d?.icd === "string" && Array.isArray(d.preload) && existsSync(join(folder, d.icd)),
    );
    const drivers = Object.fromEntries(present);
    const chosen = marker.default !== null && marker.default in drivers ? marker.default : null;
    return { format: 1, default: chosen, exclusive: marker.exclusive === true, drivers };
  } catch {
    return null;
  }
}

/**
 * How to reach `driver`. Alone: no other driver is seen. Otherwise it is added to the system's, so that a hardware
 * adapter that appears later is still preferred (Dawn sorts by kind of adapter), unless the user names drivers.
 */
export function driverAccess(folder: string, driver: CachedDriver, alone: boolean, env = process.env): DriverAccess {
  const preload = driver.preload.map((file) => join(folder, file));
  const icd = join(folder, driver.icd);
  if (alone) return { preload, env: { VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd } };
  if (userNamesDrivers(env)) return { preload, env: {} };
  return { preload, env: { VK_ADD_DRIVER_FILES: [icd, env.VK_ADD_DRIVER_FILES].filter(Boolean).join(":") } };
}

/** How to reach the driver that set-up chose; undefined when the system's own adapters are to be used. */
export function defaultAccess(
  folder: string,
  marker: DriverMarker | null,
  env = process.env,
): DriverAccess | undefined {
  const driver = marker?.default ? marker.drivers[marker.default] : undefined;
  return driver && driverAccess(folder, driver, marker?.exclusive === true && !userNamesDrivers(env), env);
}

/** True when the user has told the Vulkan loader which drivers to use. */
export function userNamesDrivers(env: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(env.VK_DRIVER_FILES || env.VK_ICD_FILENAMES);
}

/** Without case and punctuation. */
const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, "");

/** Names are compared without case and punctuation; `lavapipe` is what Mesa itself calls llvmpipe under Vulkan. */
export function sameAdapter(name: string, wanted: string): boolean {
  return plain(name).includes(plain(wanted).replace("lavapipe", "llvmpipe"));
}

/** What a user without an adapter can install by hand. */
export function adapterRemedy(platform: NodeJS.Platform = process.platform): string {
  return platform === "linux"
    ? "install a Vulkan driver (Debian, Ubuntu: packages mesa-vulkan-drivers and libvulkan1, Mesa newer than 22.3)"
    : "install or update the graphics driver of this machine";
}

/** Why an NVIDIA GPU that is there gives no adapter, where that is known. */
export function nvidiaTrouble(): string | undefined {
  return process.platform === "linux" ? nvidiaSentence(readNvidiaFacts(openLibrary)) : undefined;
}

/** Variables did not reach the Vulkan loader: in a worker thread `process.env` is a copy, unless it was started otherwise. */
let unreached = false;

/** The error of an adapter that was not found; in a worker it may be there all the same. */
function notFound(message: string): NcvsdError {
  const worker =
    "This worker thread cannot point Vulkan at a driver or a GPU, because its process.env is a copy: start it with new Worker(file, { env: SHARE_ENV }), or set VK_DRIVER_FILES before the process starts";
  return new NcvsdError("NO_ADAPTER", unreached ? `${worker} (${message.replace(/\.$/, "")}).` : message);
}

/** The sentence for a machine without an adapter. */
export function noAdapterSentence(platform: NodeJS.Platform = process.platform): string {
  const trouble = platform === process.platform ? nvidiaTrouble() : undefined;
  if (trouble) return trouble;
  const setUp = platform === "linux" ? "run `npx ncvsd-gpu doctor --setup` to set up a software one, or " : "";
  return `No GPU adapter was found: ${setUp}${adapterRemedy(platform)}.`;
}

// Each GPU object that Dawn gives out stays referenced for good: collecting one that has a live device aborts the process.
const kept: GPU[] = [];
const opened = new Map<string, Promise<GPU>>();

/** The switches, those for experimental features among them if they are asked for. */
function dawnFlags(experimental: boolean): readonly string[] {
  if (!experimental) return DAWN_FLAGS;
  return DAWN_FLAGS.map((flag) => (flag.startsWith("enable-") ? `${flag},allow_unsafe_apis` : flag));
}

/** What is asked of a GPU object. */
interface NativeGpuOptions {
  readonly adapter?: string;
  /** Adapters offer Dawn's experimental features, too (matrix units). Default: false. */
  readonly experimental?: boolean;
}

/**
 * Dawn's own warnings about a driver's limits are kept off the terminal while adapters are discovered: file descriptor 2 is away
 * for that moment (in the main thread: Node watches a worker's descriptors). NCVSD_DRIVER_WARNINGS=1 leaves it, for a server whose other threads write there at the same time.
 */
const quiet = () => isMainThread && !/^(1|on|yes|true)$/i.test(process.env.NCVSD_DRIVER_WARNINGS ?? "");

/**
 * Dawn's GPU object in this process, with WebGPU's globals (GPUBufferUsage, ...) installed on `globalThis`.
 * @param adapter part of an adapter's name, e.g. `lavapipe`, `SwiftShader`, `NVIDIA`; or its number in
 *   `listAdapters()`, of one or two digits (4090 is part of a name)
 * @throws NcvsdError NO_ADAPTER when there is no adapter, or none of that name or number
 */
export function loadNativeGpu({ adapter, experimental = false }: NativeGpuOptions = {}): Promise<GPU> {
  const key = `${experimental} ${adapter ?? ""}`;
  const known = opened.get(key);
  if (known) return known;
  const opening =
    adapter === undefined
      ? openDefault(experimental)
      : /^\d{1,2}$/.test(adapter)
        ? openNumbered(Number(adapter), experimental)
        : openNamed(adapter, experimental);
  opened.set(key, opening);
  opening.catch(() => opened.delete(key));
  return opening;
}

/** An adapter of this machine. */
export interface ListedAdapter {
  /** As its driver tells it. */
  readonly name: string;
  readonly access: DriverAccess | undefined;
  /** Names of all adapters that are seen by this access, in Dawn's order; this one is at `place`. */
  readonly beside: readonly string[];
  readonly place: number;
}

/**
 * The adapters of this machine: those that Dawn finds, in its order, of which the first is the default, then those of the
 * cached drivers. Their places in this list are their numbers.
 */
export async function listAdapters(): Promise<ListedAdapter[]> {
  const { folder, marker } = cache();
  const places = [defaultAccess(folder, marker)];
  for (const [key, driver] of Object.entries(marker?.drivers ?? {}))
    if (key !== marker?.default) places.push(driverAccess(folder, driver, true));
  const found: ListedAdapter[] = [];
  for (const access of places) {
    const beside = await namesOf(access);
    const names = new Set(found.map(({ name }) => name));
    for (const [place, name] of beside.entries()) if (!names.has(name)) found.push({ name, access, beside, place });
  }
  return found;
}

/** A name that no adapter has makes Dawn list them all. */
async function namesOf(access: DriverAccess | undefined): Promise<readonly string[]> {
  return (await discover("adapter=?", access)).adapters;
}

async function openDefault(experimental: boolean): Promise<GPU> {
  const { folder, marker } = cache();
  const { gpu, adapters } = await discover("", defaultAccess(folder, marker), experimental);
  if (!gpu || adapters.length === 0) throw notFound(noAdapterSentence());
  return gpu;
}

async function openNumbered(wanted: number, experimental: boolean): Promise<GPU> {
  const all = await listAdapters();
  if (all.length === 0) throw notFound(noAdapterSentence());
  const found = all[wanted];
  if (!found) {
    const there = all.map(({ name }, i) => `${i} "${name}"`).join(", ");
    throw notFound(`There is no adapter ${wanted}: there is ${there}.`);
  }
  const { name, access, beside, place } = found;
  const count = beside.filter((other) => other === name).length;
  if (count > 1) {
    const which = beside.slice(0, place).filter((other) => other === name).length;
    const beyond = (env: Record<string, string>) => ({ preload: [], ...access, env: { ...access?.env, ...env } });
    const list = (more: Record<string, string>) => namesOf(beyond(more));
    const env = (await manifestAccess(beside, place, list)) ?? (await twinAccess({ name, which, count }, list));
    const gpu = env && (await discover(`adapter=${name}`, beyond(env), experimental)).gpu;
    if (gpu) return gpu;
  }
  // Dawn takes the first whose name has this one in it.
  const first = beside.findIndex((other) => other.includes(name));
  if (first === place) return (await discover(`adapter=${name}`, access, experimental)).gpu!;
  const number = all.findIndex((other) => other.access === access && other.place === first);
  throw notFound(
    `Adapter ${wanted} cannot be told from adapter ${number} by its name, "${name}": let the process see one of them only (Slurm's --gres=gpu:1, a container with one GPU), or install Mesa's device selection layer (Debian, Ubuntu: package mesa-vulkan-drivers).`,
  );
}

/** Looks among the system's adapters and at each cached driver alone; last where set-up found nothing that works. */
async function openNamed(wanted: string, experimental: boolean): Promise<GPU> {
  const { folder, marker } = cache();
  const places: (DriverAccess | undefined)[] = [];
  // As drivers tell them, where they were asked; set-up has kept them as WebGPU does.
  const seen = new Map<string, string>();
  for (const [key, driver] of Object.entries(marker?.drivers ?? {})) {
    seen.set(plain(driver.adapter), readableName(driver.adapter));
    const match = sameAdapter(driver.adapter, wanted) || sameAdapter(key, wanted);
    if (match) places.push(driverAccess(folder, driver, true));
  }
  if (!marker?.default) places.unshift(undefined);
  else if (!marker.exclusive) places.push(undefined);
  for (const access of places) {
    const listed = await namesOf(access);
    for (const name of listed) seen.set(plain(name), name);
    const match = listed.find((name) => sameAdapter(name, wanted));
    const gpu = match && (await discover(`adapter=${match}`, access, experimental)).gpu;
    if (gpu) return gpu;
  }
  if (seen.size === 0) throw notFound(noAdapterSentence());
  const names = [...seen.values()].map((name) => `"${name}"`).join(", ");
  throw notFound(`No adapter's name contains "${wanted}": there is ${names}.`);
}

function cache(): { folder: string; marker: DriverMarker | null } {
  const folder = driverFolder();
  return { folder, marker: process.platform === "linux" ? readDriverMarker(folder) : null };
}

/** Creates a GPU object with Dawn's switches and `flag`, and has it discover its adapters. */
async function discover(
  flag: string,
  access?: DriverAccess,
  experimental = false,
): Promise<{ gpu: GPU | null; adapters: string[] }> {
  for (const file of access?.preload ?? []) openLibrary(file);
  // Without a loader, Dawn would print a C++ warning on stderr and find nothing.
  if (process.platform === "linux" && !openLibrary("libvulkan.so.1")) return { gpu: null, adapters: [] };
  const { create, globals } = await loadDawn();
  Object.assign(globalThis, globals);
  const flags = dawnFlags(experimental);
  const gpu = create(flag ? [...flags, flag] : [...flags]);
  kept.push(gpu);
  const request = withEnvironment(access?.env ?? {}, () => {
    unreached ||= !reached(access?.env ?? {});
    return withoutStderr(() => gpu.requestAdapter());
  });
  try {
    const adapter = await request;
    return { gpu, adapters: adapter ? [readableName(adapter.info.device || adapter.info.description)] : [] };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { gpu, adapters: [...text.matchAll(/name: '(.*)'$/gm)].map((m) => m[1] ?? "") };
  }
}

async function loadDawn(): Promise<typeof import("webgpu")> {
  try {
    return await import("webgpu");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    if ((cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND" && reason?.includes("'webgpu'"))
      throw new NcvsdError(
        "NO_ADAPTER",
        "The package webgpu is not installed, by which Node gets a GPU: `npm install webgpu`.",
        {
          cause,
        },
      );
    const where = `${process.platform}-${process.arch}`;
    const message = `Dawn's native library cannot be loaded on ${where} (${reason}): it needs Windows, macOS or a Linux with glibc 2.34 or newer.`;
    throw new NcvsdError("NO_ADAPTER", message, { cause });
  }
}

/** True when the library is in the process afterwards. */
function openLibrary(file: string): boolean {
  try {
    process.dlopen({ exports: {} }, file, DLOPEN_AND_KEEP);
  } catch (error) {
    // It was opened, and is no addon: as Node and as Bun say it.
    return error instanceof Error && /^(Module did not self-register|symbol 'napi_register)/.test(error.message);
  }
  return true;
}

function withEnvironment<T>(env: Readonly<Record<string, string>>, run: () => T): T {
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  try {
    return run();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** Whether the process itself has these variables by now, and not only this thread. */
function reached(env: Readonly<Record<string, string>>): boolean {
  if (isMainThread || Object.keys(env).length === 0) return true;
  const { environmentVariables } = process.report.getReport() as unknown as {
    environmentVariables?: Record<string, string>;
  };
  return !environmentVariables || Object.entries(env).every(([name, value]) => environmentVariables[name] === value);
}

/**
 * Runs `run` with file descriptor 2 on /dev/null. Only where descriptor 2 can be opened a second time without a file
 * position of its own: a terminal or a pipe. Opening takes the lowest free number, so close-then-open replaces it.
 */
function withoutStderr<T>(run: () => T): T {
  if (!quiet() || process.platform !== "linux") return run();
  let saved: number;
  try {
    const kind = fstatSync(2);
    // A file that standard output shares has one offset for both, which opening it again would lose.
    const out = fstatSync(1);
    const ownFile = kind.isFile() && (kind.ino !== out.ino || kind.dev !== out.dev);
    if (!kind.isCharacterDevice() && !kind.isFIFO() && !ownFile) return run();
    saved = openSync("/proc/self/fd/2", "a");
  } catch {
    return run();
  }
  closeSync(2);
  openSync("/dev/null", "a");
  try {
    return run();
  } finally {
    closeSync(2);
    openSync(`/proc/self/fd/${saved}`, "a");
    closeSync(saved);
  }
}
