import { normals, psnr, type SolveInverseOptions, samplers, solveInverse, streamSeed } from "ncvsd-gpu";
import { type Degrading, degrade } from "./degrade.js";
import { adapterName, type Context } from "./engine.js";
import { origin } from "./origin.js";
import { PIXELS, type Restored, type RestoreJob } from "./protocol.js";

/** Between previews at least: the page shows no more. */
const PREVIEW_MS = 80;

/**
 * Measures a picture and draws samples of what it may have been: the same samples, to rounding, as `restore --task` of the command
 * line gives, noise and seeds included.
 */
export async function restore(job: RestoreJob, { engine, signal, tell }: Context<"restore">): Promise<Restored> {
  const { truth, name, sigmaY, runs, seed } = job;
  const { gpu, model: ours } = await engine.ready();
  const model = job.network ? await (await import("./own.js")).ownModel(gpu, job.network, { signal }) : ours;
  const degrading = await degrade(gpu, job.degradation);
  const { operator, side } = degrading;
  try {
    const measurement = await measure(degrading, truth, sigmaY, streamSeed(seed, name, "measurement"));
    const amplitudes = job.degradation.task === "phase";
    tell({ kind: "measured", values: measurement, shape: [side, side], amplitudes });
    const settings = settingsOf(degrading, job);
    const begun = performance.now();
    let shown = 0;
    const seeds = Array.from({ length: runs }, (_, run) => streamSeed(seed, name, String(run)));
    const { images, evaluations } = await solveInverse(model, {
      ...{ operator, measurement, sigmaY, seeds, runs, signal, ...settings },
      ...(job.label < 0 ? {} : { labels: [job.label] }),
      async onStep({ step, steps, sigma, preview }) {
        if (step < steps && performance.now() - shown < PREVIEW_MS) return;
        tell({ kind: "step", step, steps, sigma, images: await preview() });
        shown = performance.now();
      },
    });
    const seconds = (performance.now() - begun) / 1000;
    const parts = seeds.map((_, i) => images.subarray(i * PIXELS, (i + 1) * PIXELS));
    return {
      images,
      chi2: await misfits(degrading, images, measurement, sigmaY, runs),
      psnr: parts.map((part) => psnr(part, truth)),
      ...{ evaluations, seconds, adapter: adapterName(gpu) },
      texts: await Promise.all(seeds.map((s) => text(s))),
    };

    async function text(of: number): Promise<Record<string, string>> {
      const complete = samplers["pnp-gd"].complete(settings as Record<string, unknown>, { operator, generative: true });
      const task = { command: "restore", task: degrading.task, ...degrading.options, simulated: true };
      const run = { sigmaY, seed, runs, sampler: "pnp-gd", settings: complete };
      const options = { ...task, ...run } as Parameters<typeof origin>[1]["options"];
      const chunks = await origin(model, { seed: of, label: job.label, options });
      return { ...chunks, "ncvsd-gpu:image": name };
    }
  } finally {
    operator.close();
  }
}

/** y = A(x) + sigma_y n; what is not measured has no noise either. */
async function measure({ operator, mask }: Degrading, truth: Float32Array, sigmaY: number, seed: number) {
  const clean = await operator.forward(truth);
  const noise = normals(seed, 0, clean.length);
  return clean.map((v, i) => (mask && mask[i] === 0 ? 0 : v + sigmaY * noise[i]!));
}

/** The command line's: the paper's table, its beta following the noise. */
function settingsOf({ operator, preset }: Degrading, { sigmaY, levels }: RestoreJob): Partial<SolveInverseOptions> {
  const { beta, sigmaY: assumed, ula, ...rest } = preset;
  const { curvature = 0 } = operator;
  // Langevin steps that the operator's curvature would let grow without bound are shortened.
  const stable = ula && (ula.c1 / ula.c2) * curvature >= 2 ? { ...ula, c1: ula.c2 / curvature } : ula;
  return {
    ...rest,
    steps: levels,
    beta: beta * (sigmaY / assumed) ** 2,
    ...(stable && !operator.sampleProximal ? { ula: stable } : {}),
  };
}

/** chi^2 of each sample: squared residuals over what noise alone would give, 1 where they are the noise's size. */
async function misfits(
  { operator, mask }: Degrading,
  images: Float32Array,
  measurement: Float32Array,
  sigmaY: number,
  runs: number,
): Promise<number[]> {
  const seen = await operator.forward(images);
  const size = measurement.length;
  const observed = mask ? mask.reduce((sum, known) => sum + known, 0) : size;
  return Array.from({ length: runs }, (_, run) => {
    let sum = 0;
    for (let i = 0; i < size; i++) if (!mask || mask[i] === 1) sum += (seen[run * size + i]! - measurement[i]!) ** 2;
    return sum / (observed * sigmaY ** 2);
  });
}
