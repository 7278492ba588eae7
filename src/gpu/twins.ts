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
function models(folder: string): string[][] {
  const groups = new Map<string, string[]>();
  try {
    for (const address of readdirSync(folder).sort()) {
      const [kind, vendor, device] = ["class", "vendor", "device"].map((file) =>
        readFileSync(join(folder, address, file), "utf8").trim(),
      );
      if (!/^0x(03|12)/.test(kind!)) continue;
      const model = `${vendor}:${device}`;
      groups.set(model, [...(groups.get(model) ?? []), address]);
    }
  } catch {
    // No PCI bus, or no leave to look at it.
  }
  return [...groups.values()];
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
  for (const addresses of models(folder).filter((group) => group.length === count)) {
    const seen = [];
    for (const address of addresses) seen.push(await list(deviceAlone(address)));
    if (seen.every((names) => names.length === 1 && names[0] === name)) found.push(addresses);
  }
  const address = found.length === 1 ? found[0]![which] : undefined;
  return address === undefined ? undefined : deviceAlone(address);
}
