/**
 * The table of derivatives. Only what differentiates imports it: a bundle that samples carries no backward kernel.
 */
import type { AnyKernel } from "../src/gpu/contract.js";
import type { Vjp } from "./lib/vjp.js";
import { attention } from "./network/attention/kernel.js";
import { attentionVjp } from "./network/attention/vjp.js";
import { diffuse } from "./network/diffuse/kernel.js";
import { diffuseVjp } from "./network/diffuse/vjp.js";
import { discPool } from "./network/disc-pool/kernel.js";
import { discPoolVjp } from "./network/disc-pool/vjp.js";
import { dropout } from "./network/dropout/kernel.js";
import { dropoutVjp } from "./network/dropout/vjp.js";
import { mpCat } from "./network/mp-cat/kernel.js";
import { mpCatVjp } from "./network/mp-cat/vjp.js";
import { mpSilu } from "./network/mp-silu/kernel.js";
import { mpSiluVjp } from "./network/mp-silu/vjp.js";
import { mpSum } from "./network/mp-sum/kernel.js";
import { mpSumVjp } from "./network/mp-sum/vjp.js";
import { pixelNorm } from "./network/pixel-norm/kernel.js";
import { pixelNormVjp } from "./network/pixel-norm/vjp.js";
import { precondIn } from "./network/precond-in/kernel.js";
import { precondInVjp } from "./network/precond-in/vjp.js";
import { precondOut } from "./network/precond-out/kernel.js";
import { precondOutVjp } from "./network/precond-out/vjp.js";
import { resample } from "./network/resample/kernel.js";
import { resampleVjp } from "./network/resample/vjp.js";
import { scaleSilu } from "./network/scale-silu/kernel.js";
import { scaleSiluVjp } from "./network/scale-silu/vjp.js";

// biome-ignore lint/suspicious/noExplicitAny: derivatives of kernels with different parameters
export const vjps: ReadonlyMap<AnyKernel, Vjp<any>> = new Map<AnyKernel, Vjp<any>>([
  [attention, attentionVjp],
  [diffuse, diffuseVjp],
  [discPool, discPoolVjp],
  [dropout, dropoutVjp],
  [mpCat, mpCatVjp],
  [mpSilu, mpSiluVjp],
  [mpSum, mpSumVjp],
  [pixelNorm, pixelNormVjp],
  [precondIn, precondInVjp],
  [precondOut, precondOutVjp],
  [resample, resampleVjp],
  [scaleSilu, scaleSiluVjp],
]);

const LAYER = "the layer that makes it has a rule for all its nodes together (src/layers/trained.ts)";

/** Why the others have none, by what the path of their WGSL begins with. */
export const NOT_DIFFERENTIABLE: Readonly<Record<string, string>> = {
  "kernels/energy/": "passes of their own, written out (src/networks/energy)",
  "kernels/features/": "feature networks are not trained",
  "kernels/operators/": "operators have adjoints of their own",
  "kernels/priors/": "priors that are known exactly have derivatives of their own",
  "kernels/sampling/": "steps of samplers, and what a network is given",
  "kernels/training/": "what comes after the gradients",
  "kernels/vae/": "the autoencoder is not trained",
  "kernels/network/conv/": LAYER,
  "kernels/network/embedding/": "training has its layers one by one",
  "kernels/network/fourier/": "no gradient reaches a noise level",
  "kernels/network/gemm/": LAYER,
  "kernels/network/implicit-gemm/": LAYER,
  "kernels/network/inject-noise/": "no gradient reaches a draw",
  "kernels/network/linear/": LAYER,
  "kernels/network/pack-weight/": LAYER,
  "kernels/network/total/": "the last step of a derivative",
  "kernels/network/axpby/": "adds up derivatives",
  "kernels/network/winograd-input/": LAYER,
  "kernels/network/winograd-output/": LAYER,
  "kernels/network/winograd-weight/": LAYER,
};
