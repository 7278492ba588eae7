/**
 * Adapters of one name, as in a server with eight GPUs of one model. Dawn in Node opens an adapter by name and takes the
 * first that has it. Mesa's device selection layer (VK_LAYER_MESA_device_select, part of Mesa's Vulkan drivers; it serves
 * the drivers of other vendors too) can hide all devices but the one at a PCI address; here that address is found.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PCI_FOLDER = "/sys/bus/pci/devices";

/** Variables by which that layer shows one device alone, read when devices are discovered. */
function deviceAlone(address: string): Record<string, string> {
  return { MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE: "1", DRI_PRIME: `pci-${address.replace(/[:.]/g, "_")}` };
}

/** PCI addresses of display controllers and accelerators, those of one model together, in order of address. */
function models(folder: string): { readonly vendor: string; readonly addresses: string[] }[] {
  const groups = new Map<string, { vendor: string; addresses: string[] }>();
  try {
    for (const address of readdirSync(folder).sort()) {
      const [kind, vendor, device] = ["class", "vendor", "device"].map((file) =>
        readFileSync(join(folder, address, file), "utf8").trim(),
      );
      if (!/^0x(03|12)/.test(kind!)) continue;
      const model = `${vendor}:${device}`;
      const group = groups.get(model) ?? { vendor: vendor!, addresses: [] };
      group.addresses.push(address);
      groups.set(model, group);
    }
  } catch {
    // No PCI bus, or no leave to look at it.
  }
  return [...groups.values()];
}

/**
 * Where the user names drivers one by one (VK_DRIVER_FILES, VK_ICD_FILENAMES): the variables that leave only the driver of
 * the adapter at `place` of `beside`.
 * @param list names of the adapters that are seen with these variables
 * @returns undefined where several adapters come from one file, or none is named
 */
export async function manifestAccess(
  beside: readonly string[],
  place: number,
  list: (env: Record<string, string>) => Promise<readonly string[]>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Record<string, string> | undefined> {
  const files = (env.VK_DRIVER_FILES || env.VK_ICD_FILENAMES || "").split(":").filter(Boolean);
  if (files.length !== beside.length) return undefined;
  const alone = (file: string) => ({ VK_DRIVER_FILES: file, VK_ICD_FILENAMES: file });
  for (const [i, file] of files.entries()) {
    const names = await list(alone(file));
    if (names.length !== 1 || names[0] !== beside[i]) return undefined;
  }
  return alone(files[place]!);
}

/** A folder of /proc for each NVIDIA GPU, by PCI address. */
const NVIDIA_FOLDER = "/proc/driver/nvidia/gpus";
const VENDORS: Readonly<Record<string, RegExp>> = {
  "0x10de": /nvidia/i,
  "0x1002": /\bAMD\b|radeon/i,
  "0x8086": /intel/i,
};

/**
 * PCI addresses of adapters, where they can be told: NVIDIA's by the driver's list of models, others where a vendor has one model
 * here. Adapters of one name are taken in order of address, as `twinAccess` takes them.
 */
export function pciAddresses(
  names: readonly string[],
  pci = PCI_FOLDER,
  nvidia = NVIDIA_FOLDER,
): (string | undefined)[] {
  const byName = new Map<string, string[]>();
  for (const name of new Set(names)) {
    const copies = names.filter((other) => other === name).length;
    const exact = listed(nvidia).filter((address) => modelOf(join(nvidia, address, "information")) === name);
    const groups = models(pci).filter(({ vendor }) => VENDORS[vendor]?.test(name));
    const candidates = exact.length > 0 ? exact : groups.length === 1 ? groups[0]!.addresses : [];
    if (candidates.length === copies) byName.set(name, [...candidates]);
  }
  return names.map((name) => byName.get(name)?.shift());
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function modelOf(file: string): string | undefined {
  try {
    return /^Model:\s*(.+?)\s*$/m.exec(readFileSync(file, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * The variables that leave only number `which` of the `count` adapters called `name` to be seen, in order of PCI address.
 * @param list names of the adapters that are seen with these variables
 * @returns undefined where that cannot be made sure of: no layer, or devices that do not tell their address
 */
export async function twinAccess(
  { name, which, count }: { readonly name: string; readonly which: number; readonly count: number },
  list: (env: Record<string, string>) => Promise<readonly string[]>,
  folder = PCI_FOLDER,
): Promise<Record<string, string> | undefined> {
  const found: string[][] = [];
  // An address that the layer does not know leaves the default adapter, which may have this very name; so the number of
  // devices of a model has to fit too.
  for (const { addresses } of models(folder).filter((group) => group.addresses.length === count)) {
    const seen = [];
    for (const address of addresses) seen.push(await list(deviceAlone(address)));
    if (seen.every((names) => names.length === 1 && names[0] === name)) found.push(addresses);
  }
  const address = found.length === 1 ? found[0]![which] : undefined;
  return address === undefined ? undefined : deviceAlone(address);
}
