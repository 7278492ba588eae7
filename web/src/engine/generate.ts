import { normals, sampleMultiStep } from "ncvsd-gpu";
import { adapterName, type Context } from "./engine.js";
import { origin } from "./origin.js";
import type { Generated, GenerateJob } from "./protocol.js";

/** Images of seeds and classes; or the way from one seed's noise to another's, on the arc between them. */
export async function generate(job: GenerateJob, { engine, signal }: Context<"generate">): Promise<Generated> {
  const { seeds, labels, ts, zeta, walk } = job;
  const { model } = await engine.ready();
  const begun = performance.now();
  const options = { seeds, labels, ts, zeta, signal };
  const { images } = await sampleMultiStep(model, walk ? { ...options, noise: arc(seeds[0]!, walk) } : options);
  const seconds = (performance.now() - begun) / 1000;
  // What a walk passes through has no seed of its own.
  const texts = walk
    ? []
    : await Promise.all(
        seeds.map((seed, i) => {
          const label = labels[i]!;
          return origin(model, { seed, label, options: { sampler: "multi-step", ts, zeta, class: label } });
        }),
      );
  return { images, seconds, adapter: adapterName(model.gpu), texts };
}

/** cos(a) z + sin(a) z': standard normal wherever on the way. */
function arc(from: number, { to, shares }: NonNullable<GenerateJob["walk"]>) {
  return (draw: number, length: number) => {
    const one = length / shares.length;
    const [a, b] = [normals(from, draw, one), normals(to, draw, one)];
    return Float32Array.from({ length }, (_, i) => {
      const angle = (shares[Math.floor(i / one)]! * Math.PI) / 2;
      return Math.cos(angle) * a[i % one]! + Math.sin(angle) * b[i % one]!;
    });
  };
}
