/**
 * Why an NVIDIA GPU that is there shows no Vulkan adapter: in containers and on slices of a GPU the reasons are few and known.
 * The sentences come from facts, which the tests make up.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface NvidiaFacts {
  /** Device nodes of GPUs: nvidia0, … */
  readonly devices: readonly string[];
  /** The kernel's driver is there: /proc/driver/nvidia. */
  readonly driver: boolean;
  /** NVIDIA_VISIBLE_DEVICES and NVIDIA_DRIVER_CAPABILITIES, which the container runtime reads. */
  readonly visible?: string | undefined;
  readonly capabilities?: string | undefined;
  /** A GPU instance (MIG) is what this process was given. */
  readonly mig: boolean;
  /** NVIDIA's Vulkan driver was put into the container, or belongs to the machine. */
  readonly vulkanDriver: boolean;
  /** Whether these libraries can be loaded, by soname. */
  readonly libraries: Readonly<Record<string, boolean>>;
}

/** What NVIDIA's Vulkan driver needs, with the packages of Debian and Ubuntu. */
const NEEDED = { "libvulkan.so.1": "libvulkan1", "libEGL.so.1": "libegl1", "libXext.so.6": "libxext6" } as const;

/** One sentence: why the NVIDIA GPU here gives no adapter, and what to do. Undefined: there is none, or the reason is another. */
export function nvidiaSentence(facts: NvidiaFacts): string | undefined {
  const { devices, driver, visible = "", capabilities, mig, vulkanDriver, libraries } = facts;
  if (mig || /\bMIG-/.test(visible))
    return "This process sees a MIG slice of an NVIDIA GPU, and NVIDIA's driver has no Vulkan on slices: ask for a whole GPU, or use a software adapter (`npx ncvsd-gpu doctor --setup`).";
  if (devices.length === 0 && !driver) {
    if (/^(all|\d|GPU-)/.test(visible))
      return `NVIDIA_VISIBLE_DEVICES is ${visible}, but no /dev/nvidia0 is there: start the container with NVIDIA's runtime (docker run --gpus all, or a Kubernetes node with NVIDIA's device plugin).`;
    return undefined;
  }
  if (devices.length === 0)
    return "NVIDIA's driver is on this machine, but no /dev/nvidia0 is there: start the container with its GPU (docker run --gpus all; Kubernetes: a limit nvidia.com/gpu).";
  const missing = Object.entries(NEEDED).filter(([soname]) => libraries[soname] === false);
  const asked = (capabilities ?? "").split(",").map((word) => word.trim());
  const graphics = asked.includes("all") || asked.includes("graphics") || asked.includes("display");
  if (!vulkanDriver && !graphics) {
    const is = capabilities ? `is ${capabilities}` : "is not set";
    return `An NVIDIA GPU is here, but not its Vulkan driver: NVIDIA_DRIVER_CAPABILITIES ${is} and has to have graphics in it, as in NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics.`;
  }
  if (missing.length > 0) {
    const names = missing.map(([soname]) => soname).join(" and ");
    const packages = missing.map(([, name]) => name).join(" ");
    return `An NVIDIA GPU is here, but its Vulkan driver lacks ${names}: install ${packages} (Debian, Ubuntu: apt-get install --no-install-recommends ${packages}).`;
  }
  if (!vulkanDriver)
    return "An NVIDIA GPU is here, but not the Vulkan part of its driver (libGLX_nvidia.so.0): install the driver with it, or on the host of the container.";
  return undefined;
}

/** The facts of this machine. @param loads whether a library can be loaded */
export function readNvidiaFacts(
  loads: (soname: string) => boolean,
  env: NodeJS.ProcessEnv = process.env,
  root = "/",
): NvidiaFacts {
  const list = (path: string) => {
    try {
      return readdirSync(join(root, path));
    } catch {
      return [];
    }
  };
  const gpus = list("proc/driver/nvidia/capabilities").filter((name) => name.startsWith("gpu"));
  const slices = gpus.flatMap((gpu) => list(`proc/driver/nvidia/capabilities/${gpu}/mig`));
  return {
    devices: list("dev").filter((name) => /^nvidia\d+$/.test(name)),
    driver: existsSync(join(root, "proc/driver/nvidia/version")),
    visible: env.NVIDIA_VISIBLE_DEVICES,
    capabilities: env.NVIDIA_DRIVER_CAPABILITIES,
    mig: slices.some((name) => name.startsWith("gi")),
    vulkanDriver: loads("libGLX_nvidia.so.0"),
    libraries: Object.fromEntries(Object.keys(NEEDED).map((soname) => [soname, loads(soname)])),
  };
}
