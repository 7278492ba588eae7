import type { FeatureSource } from "../networks/features/extractor.js";
import type { Evaluation } from "./evaluation.js";
import type { FeatureRun } from "./feature-file.js";

/** Resident memory of the process and bytes of GPU buffers, after so many images. */
export interface MemoryUse {
  readonly images: number;
  readonly rssBytes: number;
  readonly gpuBytes: number;
}

/** The JSON file that `evaluate fd` and `evaluate merge` write, and `evaluate report` reads. */
export interface FdResult extends Evaluation {
  readonly tool: "ncvsd-gpu";
  readonly kind: "fd";
  readonly format: 1;
  readonly date: string;
  readonly version: string;
  readonly command: readonly string[];
  readonly adapter: string;
  readonly n: number;
  readonly firstSeed: number;
  readonly checkpoint: FeatureRun["checkpoint"];
  readonly options: FeatureRun["options"];
  readonly evaluationsPerImage: number;
  readonly classes: number;
  readonly features: FeatureSource;
  readonly reference: { readonly file: string; readonly count: number | null };
  /** Parts that the run was made in. */
  readonly shards: number;
  readonly timing: {
    /** Of all parts together. */
    readonly seconds: number;
    /** Without the first batch, where that is known. */
    readonly imagesPerSecond: number;
    readonly evaluationsPerSecond: number;
  };
  /** After the first thousand images and at the end of this process. */
  readonly memory?: readonly MemoryUse[];
}

/** "33.8", "1.03", "0.0042". */
export function formatDistance(fd: number): string {
  return fd >= 10 ? fd.toFixed(1) : fd >= 1 ? fd.toFixed(2) : fd.toPrecision(2);
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

/** What the run was made with, for people: "2 steps (10, 22)", "Heun, 32 steps". */
export function samplerLabel(options: FdResult["options"]): string {
  const plural = (n: number) => `${n} step${n === 1 ? "" : "s"}`;
  if (options.sampler === "heun") {
    const guidance = options.guidance === 1 ? "" : `, guidance ${options.guidance}`;
    const churn = options.S_churn === 0 ? "" : `, churn ${options.S_churn}`;
    return `Heun, ${plural(Number(options.steps))}${guidance}${churn}`;
  }
  const ts = Array.isArray(options.ts) ? (options.ts as number[]) : undefined;
  const zeta = options.zeta === 1 ? "" : `, zeta ${options.zeta}`;
  return ts ? `${plural(ts.length)} (${ts.join(", ")}${zeta})` : `1 step (at init_sigma${zeta})`;
}
