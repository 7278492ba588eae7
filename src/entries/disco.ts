/// <reference lib="esnext.disposable" preserve="true" />
/** Score models of tables, and the samplers of their conditionals: `ncvsd-gpu/disco`. */
export { type ErrorCode, NcvsdError } from "../errors.js";
export { fisherError, type GridOptions, gridWasserstein1, phiOnGrid } from "../evaluate/conditionals.js";
export { slicedWasserstein, wasserstein1 } from "../evaluate/wasserstein.js";
export type { DiscoConfig } from "../networks/energy/config.js";
export type { EnergyHvp, HvpBuffers } from "../networks/energy/derivatives.js";
export {
  type DiscoEvaluation,
  type DiscoGradients,
  type DiscoInput,
  type DiscoLossInput,
  type DiscoModel,
  type DiscoOptions,
  type DiscoRows,
  loadDisco,
} from "../networks/energy/model.js";
export type { EnergySession, EnergySessionOptions } from "../networks/energy/session.js";
export {
  type ConditionedMixture,
  type GaussianMixture,
  gaussianMixture,
  type MixtureDraws,
  type MixtureOptions,
} from "../priors/mixture.js";
export { type Density, type DensitySession, mixtureDensity } from "../sample/particles/density.js";
export {
  type DiffusionDraws,
  type DiffusionMethod,
  type DiffusionOptions,
  type DiffusionResult,
  type DiffusionStep,
  guidance,
  replacement,
  sampleDiffusion,
  twisted,
} from "../sample/particles/diffusion.js";
export type { Box, Given } from "../sample/particles/given.js";
export {
  type ChainResult,
  type HmcOptions,
  type HmcTransitionInput,
  type HmcTransitionResult,
  hmcTransition,
  sampleHmc,
} from "../sample/particles/hmc.js";
export { type SmcDraws, type SmcOptions, type SmcOrder, type SmcResult, sampleSmc } from "../sample/particles/smc.js";
export { sampleUla, type UlaChainOptions, type UlaChainResult } from "../sample/particles/ula.js";
export { type DiscoStepInput, type DiscoTraining, openDisco } from "../train/disco.js";
export type { DiscoRate, DiscoSettings, DiscoTrainingOptions } from "../train/disco-settings.js";
