import kernels from "virtual:kernels";
import { checkKernel, layerTimes } from "ncvsd-gpu";
import { adapterName, type Context } from "./engine.js";
import type { Checked, CheckJob, Layers, LayersJob } from "./protocol.js";

/** Operations of a case that float64 on the host does in a second or so. */
const UP_TO = 4e7;

export async function layers(_: LayersJob, { engine }: Context<"layers">): Promise<Layers> {
  const { gpu, model } = await engine.ready();
  const times = await layerTimes(model);
  return {
    layers: times.map(({ node, kernel, variant, ms, flops }) => ({ node, kernel, variant, ms, flops })),
    adapter: adapterName(gpu),
  };
}

/** With the float64 reference and the cases, which the engine itself does without. */
export async function check({ kernel: name }: CheckJob, { engine }: Context<"check">): Promise<Checked> {
  const kernel = kernels.find((one) => one.name === name);
  if (!kernel) throw new Error(`The kernel ${name} has no reference here.`);
  const { gpu } = await engine.ready();
  const { release, variant, error, ok, case: of } = await checkKernel(gpu, kernel, { upTo: UP_TO });
  release();
  return { variant, case: of, error, ok };
}
