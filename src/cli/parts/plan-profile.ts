import { NcvsdError } from "../../errors.js";
import type { Precision } from "../../gpu/contract.js";
import { mib } from "../../gpu/device.js";
import { type GpuProfile, gpuProfile, PROFILE_NAMES } from "../../gpu/profiles.js";
import type { Graph } from "../../graph/graph.js";
import { profilePlan } from "../../measure/profile.js";
import { table } from "../../runs/table.js";

export const AS_HELP = `with --plan: count what the plan would be on a kind of GPU, without one: ${PROFILE_NAMES.join(", ")}`;

/** The profile of `--as`. @throws NcvsdError BAD_ARGUMENT without `--plan`, or for a profile that there is not */
export function profileFlag(flags: { as?: string; plan?: boolean; adapter?: string }): GpuProfile | undefined {
  if (flags.as === undefined) return undefined;
  if (!flags.plan) throw new NcvsdError("BAD_ARGUMENT", "--as counts nodes of the plan: give --plan with it.");
  if (flags.adapter !== undefined) {
    throw new NcvsdError(
      "BAD_ARGUMENT",
      "--as plans for a GPU that is not there, --adapter for one that is: give one.",
    );
  }
  return gpuProfile(flags.as);
}

/** What `inspect --plan --as` adds: to its JSON, and to its text. */
export async function profileReport(graph: Graph, profile: GpuProfile, precision: Precision) {
  const { total, nodes, kernels } = await profilePlan(graph, profile, precision);
  const share = (part: number) => `${((100 * part) / total.nodes).toFixed(0)}%`;
  const padding = (value: number | null) => (value === null ? "-" : value.toFixed(2));
  const rows = kernels.map((k) => [
    k.kernel,
    String(k.nodes),
    String(k.underfilled),
    String(k.workgroups),
    padding(k.padding),
    (k.flops / 1e9).toFixed(3),
    (k.bytes / 2 ** 20).toFixed(1),
    String(k.guardedLoops),
  ]);
  const titles = ["kernel", "nodes", "underfilled", "workgroups", "padding", "GFLOP", "MiB", "guarded loops"];
  const bytes = kernels.reduce((sum, k) => sum + k.bytes, 0);
  const lines = [
    `as on ${profile.name}: ${profile.like}`,
    `  multiprocessors      ${profile.rates.multiprocessors}, ${mib(profile.bindingBytes)} a binding`,
    `  nodes                ${total.nodes}, ${total.underfilled} (${share(total.underfilled)}) of fewer workgroups than multiprocessors`,
    `  padding              ${total.padding.toFixed(3)} multiply-adds made for one that was asked for`,
    `  bytes moved          ${mib(bytes)}`,
    `  guarded loops        ${total.guardedLoops}`,
    "",
    ...table(titles, rows, { gap: 1 }),
  ];
  return { json: { profile: total, kernels }, nodes, lines };
}
