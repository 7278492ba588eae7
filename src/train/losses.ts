import { denoisingLoss as lossKernel } from "../../kernels/training/denoising-loss/kernel.js";
import { lossPieces } from "../../kernels/training/denoising-loss/pieces.js";
import type { DenoisingLossParams } from "../../kernels/training/denoising-loss/reference.js";
import { logisticLoss as logisticKernel } from "../../kernels/training/logistic-loss/kernel.js";
import type { LogisticLossParams } from "../../kernels/training/logistic-loss/reference.js";
import { sumRows } from "../../kernels/training/sum-rows/kernel.js";
import type { Graph, Tensor } from "../graph/graph.js";

/** Levels and log variances [N], one of each for every image. */
interface PerImage {
  readonly t: Tensor;
  readonly u: Tensor;
}

/**
 * Appends the denoising loss of D [N, C, H, W] with target x0, level t and log variance u (EDM2, eq. 14 and 21).
 * @returns the loss of every entry, and the gradients of factor * its sum: of D and of u
 */
export function denoisingLoss(
  graph: Graph,
  name: string,
  params: DenoisingLossParams,
  given: PerImage & { readonly D: Tensor; readonly x0: Tensor },
): { readonly loss: Tensor; readonly dD: Tensor; readonly du: Tensor } {
  const { batch, factor } = params;
  const count = lossPieces(params);
  const { shape } = given.D;
  const outputs = { loss: shape, dD: shape, partials: [batch, count] };
  const { loss, dD, partials } = graph.run(name, lossKernel, params, { ...given }, outputs);
  const { y: du } = graph.run(
    `${name}.du`,
    sumRows,
    { rows: batch, count, factor },
    { x: partials },
    { y: given.u.shape },
  );
  return { loss, dD, du };
}

/**
 * Appends NCVSD's distillation loss: the same with the scores' difference s - s0 in place of D - x0, which is a constant, so that
 * the gradient of the generator's image x is that of s above.
 */
export function distillationLoss(
  graph: Graph,
  name: string,
  params: DenoisingLossParams,
  { s, s0, t, u }: PerImage & { readonly s: Tensor; readonly s0: Tensor },
): { readonly loss: Tensor; readonly dx: Tensor; readonly du: Tensor } {
  const { loss, dD, du } = denoisingLoss(graph, name, params, { D: s, x0: s0, t, u });
  return { loss, dx: dD, du };
}

/** Appends softplus(-z) of logits z of real images, or softplus(z) of made ones, and the gradient of factor * its sum. */
export function logisticLoss(
  graph: Graph,
  name: string,
  params: LogisticLossParams,
  z: Tensor,
): { readonly loss: Tensor; readonly dz: Tensor } {
  return graph.run(name, logisticKernel, params, { z }, { loss: z.shape, dz: z.shape });
}
