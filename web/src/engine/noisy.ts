import { normals, sampleMultiStep } from "ncvsd-gpu";
import type { Context } from "./engine.js";
import type { Noisy, NoisyJob } from "./protocol.js";

/** Draws of p(x0 | y), y the picture with noise of level sigma: one evaluation each. */
export async function noisy(job: NoisyJob, { engine, signal }: Context<"noisy">): Promise<Noisy> {
  const { truth, sigma, draws, seed } = job;
  const { model } = await engine.ready();
  const noise = normals(seed, 0, truth.length);
  const one = truth.map((v, i) => v + sigma * noise[i]!);
  const y = new Float32Array(draws * one.length);
  for (let n = 0; n < draws; n++) y.set(one, n * one.length);
  const seeds = Array.from({ length: draws }, (_, n) => seed + 1 + n);
  const { images } = await sampleMultiStep(model, { y, sigma, seeds, labels: [-1], signal });
  return { noisy: one, images };
}
