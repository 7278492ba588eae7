import { addDirections } from "../../../kernels/sampling/add-directions/kernel.js";
import { clip as clipKernel } from "../../../kernels/sampling/clip/kernel.js";
import type { Encodable } from "../../graph/stage.js";
import type { DenoiserVjpSession } from "../../networks/session.js";
import type { Run } from "../run.js";

/** Directions that are added to D: `vectors` of them, `pitch` values apart, with a weight per image and vector. */
export interface Directions {
  readonly buffer: GPUBuffer;
  readonly vectors: number;
  readonly pitch: number;
  /** [N, vectors] */
  readonly weight: GPUBuffer;
}

/** The last part of a conditional denoiser: D_y = D + factor J'v, or a factor times a sum of directions. */
export interface Guide {
  /** D_y, [N, C, H, W], after `steps`. */
  readonly denoised: GPUBuffer;
  readonly steps: readonly Encodable[];
  /** Writes the factor of the evaluation. */
  write(factor: number): void;
}

/** @param clip cut D_y to [-1, 1]  @param directions absent: the network's J'v alone */
export async function openGuide(
  run: Run,
  net: DenoiserVjpSession,
  clip: boolean,
  directions?: Directions,
): Promise<Guide> {
  const { gpu, batch, elements, total } = run;
  const factor = run.buffer("guidance factor", 1);
  const y = run.buffer("D_y");
  const { buffer, vectors, pitch } = directions ?? { buffer: net.vjp, vectors: 1, pitch: total };
  const params = { batch, elements, vectors, pitch, weighted: directions !== undefined };
  const views = { d: net.denoised, direction: buffer, ...(directions && { weight: directions.weight }), factor, y };
  const add = await run.stage("guidance", addDirections, params, views);
  const write = (value: number) => gpu.write(factor, Float32Array.of(value));
  if (!clip) return { denoised: y, steps: [add], write };
  const cut = run.buffer("D_y, clipped");
  const clipped = await run.stage("clip", clipKernel, { elements: total }, { x: y, y: cut });
  return { denoised: cut, steps: [add, clipped], write };
}
