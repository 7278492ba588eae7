import { diffuse } from "../../kernels/network/diffuse/kernel.js";
import { knownPixels } from "../../kernels/sampling/known-pixels/kernel.js";
import { bad, checkKeys } from "../errors.js";
import { batchOf } from "../networks/inputs.js";
import type { ImageShape } from "../networks/session.js";
import type { Evaluated } from "./evaluated.js";
import type { Run } from "./run.js";

/** Pixels of images that are known. */
export interface KnownImage {
  /** One image for all, or one for each: C*H*W or N*C*H*W values; where the mask is 0 nothing of it is looked at. */
  readonly image: Float32Array;
  /** Not 0 where a pixel is known: H*W values, C*H*W, or N*C*H*W. */
  readonly mask: ArrayLike<number>;
  /**
   * How known pixels stand beside the others while these are noisy: with noise of the step's level (default, the replacement
   * heuristic), or as they are, which asks for a model that learned so (`known` of `openTraining`'s `disco`).
   */
  readonly as?: "noisy" | "clean";
}

interface Pixels {
  /** [N, C, H, W] */
  readonly image: Float32Array;
  readonly mask: Float32Array;
  readonly noisy: boolean;
}

/** @throws BAD_ARGUMENT */
export function knownPixelsOf(call: string, known: KnownImage, shape: ImageShape, batch: number): Pixels {
  checkKeys(`${call}: known`, known, { image: true, mask: true, as: true });
  const { image, mask, as = "noisy" } = known;
  const one = shape[0] * shape[1] * shape[2];
  const pixels = shape[1] * shape[2];
  if (as !== "noisy" && as !== "clean") throw bad(`${call}: known.as must be noisy or clean, got ${as}.`);
  const sizes = [...new Set([pixels, one, one * batch])];
  if (!sizes.includes(mask?.length))
    throw bad(`${call}: known.mask must have ${sizes.join(" or ")} values, got ${mask?.length}.`);
  const all = Float32Array.from({ length: one * batch }, (_, i) => {
    const at = mask.length === pixels ? i % pixels : i % mask.length;
    return mask[at] ? 1 : 0;
  });
  if (!(image instanceof Float32Array) || ![one, one * batch].includes(image.length))
    throw bad(`${call}: known.image must be a Float32Array of ${one} or ${one * batch} values, got ${image?.length}.`);
  const values = all.map((m, i) => (m ? image[i % image.length]! : 0));
  batchOf("known.image", values, shape);
  return { image: values, mask: all, noisy: as === "noisy" };
}

/**
 * A denoiser given known pixels: before a step they are put into its input, with noise of its level or without, and the estimate
 * there is the input itself, so that an ordinary solver does not move them. `finish` puts the pixels into the result.
 * Draws one noise for every step, after the initial one, where they are noisy.
 */
export async function inpainting(
  run: Run,
  plain: Evaluated,
  { image, mask, noisy }: Pixels,
): Promise<Evaluated & { finish(x: GPUBuffer): Promise<GPUBuffer> }> {
  const { gpu, batch, elements, total } = run;
  const names = ["known", "mask", "noise of the known", "noisy known", "mixed", "with known"] as const;
  const [known, where, z, shown, mixed, denoised] = names.map((name) => run.buffer(name)) as unknown as Six;
  const level = run.buffer("level of the known", batch);
  gpu.write(known, image);
  gpu.write(where, mask);
  const params = { elements: total };
  const noises = await run.stage("noise_known", diffuse, { batch, elements }, { x: known, sigma: level, z, y: shown });
  const mixes = new Map<string, Awaited<ReturnType<Run["stage"]>>>();
  const put = async (label: string, buffers: { x: GPUBuffer; known: GPUBuffer; y: GPUBuffer }) => {
    const stage = mixes.get(label) ?? (await run.stage(label, knownPixels, params, { ...buffers, mask: where }));
    mixes.set(label, stage);
    return stage;
  };
  return {
    denoised,
    async evaluate(input, sigma, next) {
      // The second half of a step finds them where the first has left them.
      if (sigma !== next) {
        if (noisy) {
          await run.noise.fill(z);
          run.fill(level, sigma);
          await run.submit([noises]);
        }
        const from = noisy ? shown : known;
        await run.submit([await put("put_known", { x: input, known: from, y: mixed })], [[mixed, input]]);
      }
      await plain.evaluate(input, sigma, next);
      const label = sigma === next ? "hold_known_second" : "hold_known";
      await run.submit([await put(label, { x: plain.denoised, known: input, y: denoised })]);
    },
    async finish(x) {
      await run.submit([await put("known_result", { x, known, y: mixed })]);
      return mixed;
    },
  };
}

type Six = [GPUBuffer, GPUBuffer, GPUBuffer, GPUBuffer, GPUBuffer, GPUBuffer];
