import { daps } from "./daps.js";
import { diffpir } from "./diffpir.js";
import { dps } from "./dps.js";
import { mmps } from "./mmps.js";
import { pigdm } from "./pigdm.js";
import { pnpDm } from "./pnp-dm.js";
import { pnpGd } from "./pnp-gd.js";
import type { PosteriorSampler } from "./sampler.js";
import { tmpd } from "./tmpd.js";
import { type2 } from "./type2.js";

/** Samplers of inverse problems, by name: what `solveInverse`, `restore`, help texts and records know of them. */
export const posteriorSamplers = {
  "pnp-gd": pnpGd,
  diffpir,
  type2,
  daps,
  "pnp-dm": pnpDm,
  dps,
  pigdm,
  mmps,
  tmpd,
} as const satisfies Record<string, PosteriorSampler>;
export type PosteriorSamplerName = keyof typeof posteriorSamplers;

export const isPosteriorSampler = (name: unknown): name is PosteriorSamplerName =>
  typeof name === "string" && Object.hasOwn(posteriorSamplers, name);
