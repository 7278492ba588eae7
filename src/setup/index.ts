/**
 * Finds a GPU adapter or sets up a software one. A machine that has a working adapter is left as it is.
 * Everything that is installed is tried out before it counts.
 */
import { NcvsdError } from "../errors.js";
import {
  adapterRemedy,
  type CachedDriver,
  driverFolder,
  nvidiaTrouble,
  readDriverMarker,
  userNamesDrivers,
} from "../gpu/native.js";
import { installLavapipe, LAVAPIPE, unpackLavapipe } from "./apt.js";
import { updateMarker } from "./cache.js";
import type { Log } from "./command.js";
import { planSetUp, readFacts, type Step } from "./plan.js";
import { type AdapterProbe, probeAdapter } from "./probe.js";
import { installSwiftShader, SWIFTSHADER } from "./swiftshader.js";

export { type AdapterProbe, type ProbeTarget, probeAdapter } from "./probe.js";
export { ensureSwiftShader } from "./swiftshader.js";

export interface SetUpResult {
  /** The adapter that works now. */
  readonly adapter: AdapterProbe;
  /** What was installed; null when the adapter was there already. */
  readonly installed: string | null;
}

/**
 * Makes sure that `openGpu()` finds an adapter:
 * 1. a working one is there: nothing is touched;
 * 2. Debian, Ubuntu as root or with sudo that asks no password: Mesa's lavapipe as system packages;
 * 3. Debian, Ubuntu otherwise: the same packages unpacked into the cache folder of this user;
 * 4. any Linux on x64: SwiftShader from npm, in the cache folder of this user.
 *
 * The environment variable NCVSD_NO_SETUP=1 forbids steps 2 to 4.
 * @throws NcvsdError NO_ADAPTER with one sentence that says what was tried and what to install
 */
export async function setUpAdapter(options: { log?: Log } = {}): Promise<SetUpResult> {
  const log = options.log ?? (() => {});
  const present = await probeAdapter();
  if (present.ok) return { adapter: present, installed: null };
  if (readDriverMarker()?.default) {
    // A driver of the cache may have broken, or hide one that the system has by now.
    const system = await probeAdapter("system");
    if (system.ok) {
      updateMarker((marker) => ({ ...marker, default: null }));
      return { adapter: system, installed: null };
    }
  }
  if (process.env.NCVSD_NO_SETUP === "1") {
    throw noAdapter(`${present.reason}, and NCVSD_NO_SETUP=1 forbids to set one up`);
  }
  if (userNamesDrivers()) {
    const message = `The Vulkan driver that VK_DRIVER_FILES or VK_ICD_FILENAMES names gives no adapter (${present.reason}): unset the variable, or let it name a driver that works.`;
    throw new NcvsdError("NO_ADAPTER", message);
  }
  const facts = readFacts();
  const failures: string[] = [];
  const steps = planSetUp(facts);
  if (steps.length > 0) log(`no GPU adapter works here (${present.reason}): setting up a software one`);
  const trouble = nvidiaTrouble();
  if (steps.length > 0 && trouble) log(trouble);
  for (const step of steps) {
    const before = failures.at(-1);
    if (before) log(`${before}; trying another way`);
    try {
      const installed = await take(step, facts, log);
      const adapter = await probeAdapter();
      if (adapter.ok) return { adapter, installed };
      failures.push(`${installed} is installed, but ${adapter.reason}`);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw noAdapter([present.reason, ...failures].join("; "));
}

function noAdapter(why: string): NcvsdError {
  const trouble = nvidiaTrouble();
  if (trouble) return new NcvsdError("NO_ADAPTER", trouble);
  return new NcvsdError("NO_ADAPTER", `No GPU adapter was found (${why}): ${adapterRemedy()}.`);
}

async function take(step: Step, facts: ReturnType<typeof readFacts>, log: Log): Promise<string> {
  if (step === "swiftshader") {
    const driver = unused(SWIFTSHADER) ?? (await installSwiftShader(log));
    await makeDefault(SWIFTSHADER);
    return driver.source;
  }
  if (!facts.os) throw new Error("not a Debian or Ubuntu system");
  if (step === "unpack") {
    const driver = unused(LAVAPIPE) ?? (await unpackLavapipe(facts.os, log));
    await makeDefault(LAVAPIPE);
    return driver.source;
  }
  await installLavapipe(facts.os, !facts.root, log);
  if (readDriverMarker()?.default) updateMarker((marker) => ({ ...marker, default: null }));
  return "Mesa's lavapipe (package mesa-vulkan-drivers)";
}

/** A driver that lies in the cache; not the default one, which was found not to work. */
function unused(key: string): CachedDriver | undefined {
  const marker = readDriverMarker();
  return marker?.default === key ? undefined : marker?.drivers[key];
}

/** Beside the system's drivers if that works, else alone: one of those may be what ends the process. */
async function makeDefault(key: string): Promise<void> {
  const folder = driverFolder();
  const driver = readDriverMarker(folder)?.drivers[key];
  if (!driver) throw new Error(`the cache folder ${folder} lost its ${key}`);
  const beside = await probeAdapter({ folder, driver, alone: false });
  updateMarker((marker) => ({ ...marker, default: key, exclusive: !beside.ok }));
}
