import { normals } from "../../lib/philox.js";
import type { NormalParams } from "./kernel.js";

export function normalReference(
  { batch, elements }: NormalParams,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const z = new Float64Array(batch * elements);
  for (let n = 0; n < batch; n++) z.set(normals(inputs.seeds![n]!, inputs.draw![0]!, elements), n * elements);
  return { z };
}
