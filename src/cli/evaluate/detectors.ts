import { type Command, Option } from "commander";
import { bad, quote } from "../../errors.js";
import { type Detector, METRICS, type Metric, metricDetector, smallDetector } from "../../evaluate/detector.js";
import type { MeasuredBy } from "../../evaluate/feature-run.js";
import type { Gpu } from "../../gpu/device.js";
import { bundledFeatures } from "../../runs/package.js";
import { fetching, OFFLINE_HELP } from "../parts/engine.js";

/** Which feature networks a command measures by. */
export interface DetectorFlags {
  readonly metrics?: readonly Metric[];
  readonly inception?: string;
  readonly dinov2?: string;
  readonly fidVariant?: string;
  readonly features?: string;
  readonly sha256?: readonly string[];
  readonly offline?: boolean;
}

/** The option that names the file of a metric's network. */
const FILES = { fid: "inception", fd_dinov2: "dinov2" } as const satisfies Record<Metric, keyof DetectorFlags>;

/** `--features` and what goes with `--metrics`. */
export function addDetectorOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--metrics <list>",
        `of the reference: ${METRICS.join(",")} (default: those whose network is named, else the distance by --features)`,
      ).argParser(parseMetrics),
    )
    .option("--inception <file>", "Inception-v3 of FID, in any published layout: a file, URL or hf://owner/repo/file")
    .option("--dinov2 <file>", "DINOv2, likewise; the reference's fd_dinov2 is by ViT-L/14")
    .addOption(
      new Option("--fid-variant <name>", "how pictures become Inception's input; the reference's is nvidia").choices([
        "nvidia",
        "pytorch-fid",
      ]),
    )
    .addOption(
      new Option(
        "--sha256 <sums>",
        "SHA-256 that the files of --inception and --dinov2 must have, in this order, with a comma",
      ).argParser(parseSums),
    )
    .option("--offline", OFFLINE_HELP)
    .option("--features <file>", "a small feature network (default: the bundled fashion32-features)");
}

function parseMetrics(text: string): Metric[] {
  const metrics = [...new Set(text.split(",").map((name) => name.trim()))];
  const unknown = metrics.find((name) => !(METRICS as string[]).includes(name));
  if (unknown === undefined) return metrics as Metric[];
  throw bad(`--metrics ${quote(text)}: ${quote(unknown)} is no metric; there is ${METRICS.join(", ")}`);
}

function parseSums(text: string): string[] {
  const sums = text.split(",").map((sum) => sum.trim().toLowerCase());
  if (sums.every((sum) => /^([0-9a-f]{64})?$/.test(sum))) return sums;
  throw bad(`--sha256 ${quote(text)}: a sum is 64 hexadecimal digits`);
}

/**
 * The metrics that a command's options ask for; undefined: the distance by a small network.
 * @throws BAD_ARGUMENT when one has no network, or options contradict one another
 */
function metricsOf(flags: DetectorFlags): readonly Metric[] | undefined {
  const named = METRICS.filter((metric) => flags[FILES[metric]] !== undefined);
  const metrics = flags.metrics ?? (named.length > 0 ? named : undefined);
  if (metrics === undefined) {
    if (flags.fidVariant !== undefined) throw bad("--fid-variant goes with --metrics fid and --inception");
    if (flags.sha256 !== undefined) throw bad("--sha256 goes with --inception and --dinov2");
    return undefined;
  }
  if (flags.features !== undefined)
    throw bad("--features names a small network of its own: leave it out with --metrics, --inception and --dinov2");
  for (const metric of metrics) {
    if (flags[FILES[metric]] === undefined)
      throw bad(
        `the metric ${metric} needs its network: name the file with --${FILES[metric]} (docs/metrics.md says where it is published)`,
      );
  }
  return metrics;
}

/**
 * Opens the feature networks that the options name.
 * @param say takes what was found
 */
export async function openDetectors(
  gpu: Gpu,
  flags: DetectorFlags,
  { silent, say }: { silent: boolean; say: (line: string) => void },
): Promise<readonly Detector[]> {
  const metrics = metricsOf(flags);
  if (metrics === undefined) return [await smallDetector(gpu, flags.features ?? bundledFeatures)];
  const named = METRICS.filter((metric) => flags[FILES[metric]] !== undefined);
  const detectors: Detector[] = [];
  for (const metric of metrics) {
    const file = flags[FILES[metric]]!;
    const sha256 = flags.sha256?.[named.indexOf(metric)] || undefined;
    const variant = metric === "fid" ? flags.fidVariant : undefined;
    const how = { ...(flags.offline ? { offline: true } : {}), ...(sha256 === undefined ? {} : { sha256 }) };
    const detector = await fetching(how, silent, (options) =>
      metricDetector(gpu, metric, file, { ...options, ...(variant === undefined ? {} : { variant }) }),
    );
    say(`${metric}: ${nameOf(detector.source)}, ${detector.source.dim} features`);
    for (const remark of remarksOn(detector.source)) say(`${metric}: ${remark}`);
    detectors.push(detector);
  }
  return detectors;
}

/** "inception-v3-fid (nvidia)". */
export const nameOf = ({ name, variant }: MeasuredBy): string =>
  variant === undefined ? name : `${name} (${variant})`;

/** What the reference's metric is measured by. */
const REFERENCE = {
  fid: { name: "inception-v3-fid", variant: "nvidia", dim: 2048 },
  fd_dinov2: { name: "dinov2-vitl14", variant: "hub", dim: 1024 },
} as const;

/** Why a distance cannot stand beside published ones of its name, in sentences. */
export function remarksOn({ metric, name, variant, dim }: MeasuredBy): string[] {
  const standard = REFERENCE[metric as Metric];
  if (!standard || (name === standard.name && variant === standard.variant && dim === standard.dim)) return [];
  return [
    `published figures of ${metric} are by ${standard.name} (${standard.variant}, ${standard.dim} features): this one compares with its own kind alone`,
  ];
}

/** What of the networks decides features, for a run's fingerprint. */
export const featuresKey = (detectors: readonly Detector[]): string =>
  detectors.map(({ source: { sha256, variant } }) => [sha256, variant].filter(Boolean).join("/")).join(",");
