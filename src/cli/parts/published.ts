import { bad, didYouMean } from "../../errors.js";
import { networkPreset, parameterCount } from "../../networks/edm2/presets.js";
import { published } from "../../networks/edm2/published.js";
import { table } from "../../runs/table.js";

export const NET_HELP =
  "checkpoint: a file (.safetensors, the index of its shards, or a pickle of the reference), a URL, hf://owner/repo/file, or the " +
  "name of a published network (`sample --preset help`), or bundled-teacher; default: the bundled Fashion-MNIST one";

export const TEACHER_HELP =
  "a snapshot of `train` or any EDM2 network: a file, a URL, hf://owner/repo/file, the name of a published one (`sample --preset help`), " +
  "or bundled";

/** The published networks, a line each. */
export function publishedTable(): string[] {
  const rows = Object.entries(published).map(([name, { makes, guidance, stated }]) => {
    const { architecture, config } = networkPreset(name.split("-").slice(0, 3).join("-"));
    const parameters = `${Math.round(parameterCount(architecture, config) / 1e6)} M`;
    return [name, makes, parameters, guidance === undefined ? "" : String(guidance), stated ?? ""];
  });
  return [
    ...table(["name", "makes", "weights", "guidance", "stated"], rows),
    "",
    "Latents (of 512x512) become pictures with --vae.",
  ];
}

interface PresetFlags {
  readonly preset?: string;
  readonly net?: string;
  readonly gnet?: string;
  readonly guidance?: number;
}

/** The flags as if the preset's network, guide and guidance had been given; what is given besides wins. */
export function withPreset<T extends PresetFlags>(flags: T): T {
  const { preset, net } = flags;
  if (preset === undefined) return flags;
  if (net !== undefined) throw bad("--preset and --net both name a network: give one of them.");
  const found = Object.hasOwn(published, preset) ? published[preset] : undefined;
  if (!found) {
    const hint = didYouMean(preset, Object.keys(published)) ?? "`--preset help` lists them.";
    throw bad(`there is no preset "${preset.slice(0, 60)}": ${hint}`);
  }
  const guide = found.gnet ? { gnet: flags.gnet ?? found.gnet, guidance: flags.guidance ?? found.guidance } : {};
  return { ...flags, net: found.net, ...guide };
}
