import { distanceWeight } from "../../kernels/energy/distance-weight/kernel.js";
import { gatherRows } from "../../kernels/energy/gather-rows/kernel.js";
import { levelDraw } from "../../kernels/energy/level-draw/kernel.js";
import { pointDraw } from "../../kernels/energy/point-draw/kernel.js";
import { posteriorTarget } from "../../kernels/energy/posterior-target/kernel.js";
import { posteriorTiles } from "../../kernels/energy/posterior-tiles/kernel.js";
import type { Gpu } from "../gpu/device.js";
import { type Encodable, stage } from "../graph/stage.js";
import { type EnergyProgram, openEnergyLoss } from "../networks/energy/derivatives.js";
import type { EnergyParameters } from "../networks/energy/parameters.js";
import type { DiscoSettings } from "./disco-settings.js";

/** What steps of any number of rows share. */
export interface DiscoBuffers {
  /** [points, dims]; absent: nothing is drawn. */
  readonly data: GPUBuffer | undefined;
  /** [tiles][2][dims]: bounds of the data's tiles, where they lie in such. */
  readonly bounds: GPUBuffer | undefined;
  /** [2][dims] */
  readonly box: GPUBuffer | undefined;
  /** [1] u32, which step it is. */
  readonly step: GPUBuffer;
  /** A bank. */
  readonly gradients: GPUBuffer;
  /** [1] */
  readonly loss: GPUBuffer;
}

/** What a step of so many rows consists of, in this order, and where its inputs lie: each part reads what those before it wrote. */
export interface DiscoStep {
  readonly rows: number;
  readonly labels: GPUBuffer;
  readonly x: GPUBuffer;
  readonly weight: GPUBuffer;
  readonly goal: GPUBuffer;
  /** Labels and uniform values; points; their targets. Absent: nothing to draw from. */
  readonly draws: { readonly levels: Encodable; readonly points: Encodable; readonly target: Encodable } | undefined;
  /** Loss and gradients. */
  readonly learn: Encodable;
  destroy(): void;
}

/** Makes ready the steps of so many rows. */
export async function openDiscoStep(
  parameters: EnergyParameters,
  settings: DiscoSettings,
  shared: DiscoBuffers,
  rows: number,
): Promise<DiscoStep> {
  const { gpu, config } = parameters;
  const made: { destroy(): void }[] = [];
  const buffer = (name: string, elements: number) => {
    const own = gpu.storage(`disco ${name}`, 4 * elements);
    made.push({ destroy: () => gpu.destroyBuffer(own) });
    return own;
  };
  const destroy = () => {
    for (const item of made.splice(0)) item.destroy();
    gpu.flushDestroyed();
  };
  try {
    const points = rows * config.dim;
    const own = {
      labels: buffer("labels", rows),
      u: buffer("uniforms", rows),
      x: buffer("points", points),
      data: buffer("own data", points),
      weight: buffer("weights", rows),
      goal: buffer("goals", points),
    };
    const { labels, x, weight, goal } = own;
    const loss: EnergyProgram = await openEnergyLoss(parameters, rows, {
      ...{ x, goal, weight, gradients: shared.gradients, loss: shared.loss },
      labels: config.conditional ? labels : undefined,
    });
    made.push(loss);
    const draws = await openDraws(gpu, settings, shared, rows, own, (item) => made.push(item));
    return { rows, labels, x, weight, goal, draws, learn: loss, destroy };
  } catch (error) {
    destroy();
    throw error;
  }
}

async function openDraws(
  gpu: Gpu,
  settings: DiscoSettings,
  { data, bounds, box, step }: DiscoBuffers,
  rows: number,
  own: Readonly<Record<"labels" | "u" | "x" | "data" | "weight" | "goal", GPUBuffer>>,
  made: (item: { destroy(): void }) => void,
): Promise<DiscoStep["draws"]> {
  if (!data || !box) return undefined;
  const { config, points, support, draw, power, seed } = settings;
  const { dim: dims, levels, sigma_min: sigmaMin, sigma_max: sigmaMax, conditional: diffusion } = config;
  const inside = Math.round((settings.inside * rows) / settings.batch);
  const keep = <T extends { destroy(): void }>(item: T): T => {
    made(item);
    return item;
  };
  const { labels, u, x, weight, goal } = own;
  const drawn = await stage(gpu, "levels", levelDraw, { rows, levels, seed }, { step, labels, u });
  const params = { rows, dims, points, inside, sigmaMin, sigmaMax, levels, power, diffusion, seed };
  const noisy = await stage(gpu, "points", pointDraw, params, {
    ...{ data, labels, box, step, x, weight },
    own: own.data,
    ...(diffusion ? { goal } : {}),
  });
  const parts: Encodable[] = [];
  if (!diffusion && bounds) {
    const shape = { rows, dims, keys: points, sigma: sigmaMin };
    parts.push(keep(await stage(gpu, "target", posteriorTiles, shape, { x, data, bounds, goal })));
  } else if (!diffusion) {
    // The keys: the step's own data, all, or some.
    let [keys, count] = support === 0 ? [own.data, rows] : [data, points];
    if (support > 0 && settings.posterior !== "exact") {
      count = support;
      keys = keep(scratch(gpu, 4 * count * dims)).buffer;
      const shape = { rows: count, dims, points, seed };
      parts.push(keep(await stage(gpu, "support", gatherRows, shape, { data, step, keys })));
    }
    const shape = { rows, dims, keys: count, sigma: sigmaMin, draw };
    parts.push(keep(await stage(gpu, "target", posteriorTarget, shape, { x, data: keys, u, goal })));
  }
  if (settings.distance !== 0 && !diffusion) {
    const shape = { rows, dims, sigma: sigmaMin, power: settings.distance };
    parts.push(keep(await stage(gpu, "distances", distanceWeight, shape, { goal, weight })));
  }
  return {
    levels: keep(drawn),
    points: keep(noisy),
    target: {
      encode(pass) {
        for (const part of parts) part.encode(pass);
      },
    },
  };
}

function scratch(gpu: Gpu, bytes: number) {
  const buffer = gpu.storage("disco support", bytes);
  return { buffer, destroy: () => gpu.destroyBuffer(buffer) };
}
