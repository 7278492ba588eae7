import type { DenoiserVjpSession } from "../../networks/session.js";
import type { Operator } from "../../operators/operator.js";
import { nameOf } from "../energy.js";
import type { Run } from "../run.js";
import { lacksMean } from "./mean.js";
import type { Problem } from "./sampler.js";

/** Opens D with J'v. Imported when a sampler needs it: derivatives are no part of what others load. */
export async function openVjp(run: Run, { model, labels }: Problem): Promise<DenoiserVjpSession> {
  const { openDenoiserVjp } = await import("../../networks/edm2/derivative.js");
  return run.hold(await openDenoiserVjp(model, run.batch, labels));
}

/** What an operator lacks for samplers that use A and A' themselves; undefined: nothing. */
export function lacksAdjoint(operator: Operator): string | undefined {
  return operator.adjoint
    ? undefined
    : `a linear operator with its adjoint, which the operator${nameOf(operator)} is not`;
}

/** What an operator lacks for a guidance that is exact for linear ones alone: a pointwise law's mean is another thing. */
export function lacksLinearMean(operator: Operator): string | undefined {
  return operator.law ? `a linear operator, which the operator${nameOf(operator)} is not` : lacksMean(operator);
}
