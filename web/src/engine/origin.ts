import facts from "virtual:facts";
import { imageText, type Model } from "ncvsd-gpu";

type Origin = Parameters<typeof imageText>[0];

/** The text chunks that the command line would write for this picture. */
export async function origin(model: Model, of: Pick<Origin, "seed" | "options"> & { label: number }) {
  const { seed, options, label } = of;
  const { gpu, checkpoint } = model;
  const name = model.labels?.[label];
  return imageText({
    seed,
    options: { ...options, precision: gpu.precision },
    ...(label < 0 ? {} : { classIndex: label, className: name ?? String(label) }),
    checkpoint: { name: checkpoint.name, sha256: await checkpoint.sha256() },
    adapter: gpu.info.name,
    version: facts.version,
  });
}
