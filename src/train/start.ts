import { bad } from "../errors.js";
import { freshTensors } from "./initial.js";

/**
 * How a network of NCVSD starts: the teacher's encoder and embeddings in `ctrl` and `enc`, its decoder in `dec`, by equal names;
 * mixing weights 0. What the teacher does not give is fresh from the seed: the uncertainty head, and the discriminator's last layer.
 * @param shapes extents by name, of generator and score model or of the discriminator
 * @param stream tells the networks of one seed apart
 */
export function startTensors(
  teacher: ReadonlyMap<string, Float32Array>,
  shapes: ReadonlyMap<string, readonly number[]>,
  seed: number,
  stream: number,
): Map<string, Float32Array> {
  const tensors = freshTensors(shapes, seed, stream);
  const discriminator = !shapes.has("dec.out_gain");
  for (const name of tensors.keys()) {
    const taught = teacher.get(teacherName(name, discriminator));
    if (!taught) continue;
    const { length } = tensors.get(name)!;
    if (taught.length !== length)
      throw bad(`${name} has ${length} values, but the teacher's has ${taught.length}: their arguments must agree.`);
    tensors.set(name, taught);
  }
  return tensors;
}

/** What a tensor is called in the teacher; a name that it does not have for what is not its. */
function teacherName(name: string, discriminator: boolean): string {
  if (name.startsWith("logvar_") || (discriminator && name === "out_conv.weight")) return "";
  return name.replace(/^(ctrl|enc|dec)\./, "unet.");
}
