import { noiseLevels, normals, sampleHeun, sampleMultiStep } from "ncvsd-gpu";
import type { Context } from "./engine.js";
import { type Frame, PIXELS, type StepsJob, type Strip, type TeacherJob } from "./protocol.js";

/** The draw of x_N: the first is the observation's noise. */
const DRAW_OF_START = 1;

const scaled = (z: ArrayLike<number>, sigma: number) => Float32Array.from(z, (v) => sigma * v);

/** One seed by multi-step generative denoising, with what goes into each step and what comes out. */
export async function steps(job: StepsJob, { engine, signal, tell }: Context<"steps">): Promise<Strip> {
  const { seed, label, ts, zeta } = job;
  const { model } = await engine.ready();
  const begun = performance.now();
  const frames: Frame[] = [];
  let noisy: Float32Array | undefined;
  const { images } = await sampleMultiStep(model, {
    ...{ seeds: [seed], labels: [label], ts, zeta, signal },
    async onStep({ sigma, preview, next }) {
      noisy ??= scaled(normals(seed, DRAW_OF_START, PIXELS), sigma);
      const frame = { sigma, noisy, denoised: await preview() };
      frames.push(frame);
      tell(frame);
      noisy = await next?.();
    },
  });
  return { frames, image: images, evaluations: ts.length, seconds: (performance.now() - begun) / 1000 };
}

/** The same seed by the teacher: Heun's sampler, the state at each level and the network's estimate there. */
export async function teacher(job: TeacherJob, { engine, signal, tell }: Context<"teacher">): Promise<Strip> {
  const { seed, label, steps: count } = job;
  const model = await engine.teacher();
  const begun = performance.now();
  const levels = noiseLevels({ steps: count, sigmaMin: 0.002, sigmaMax: 80, rho: 7 });
  const frames: Frame[] = [];
  const { images } = await sampleHeun(model, {
    ...{ seeds: [seed], labels: [label], steps: count, signal },
    async onStep({ step, preview, denoised }) {
      const frame = { sigma: levels[step] ?? 0, noisy: await preview(), denoised: await denoised!() };
      frames.push(frame);
      tell(frame);
    },
  });
  return { frames, image: images, evaluations: 2 * count - 1, seconds: (performance.now() - begun) / 1000 };
}
