import type { Checkpoint } from "../../checkpoint/index.js";
import { NcvsdError } from "../../errors.js";
import type { FeatureArchitecture } from "./architecture.js";
import { fashion32 } from "./fashion32.js";

const ARCHITECTURES: readonly FeatureArchitecture[] = [fashion32];

/** Names of the architectures that this version knows. */
export const featureNetworkNames: readonly string[] = ARCHITECTURES.map(({ name }) => name);

/**
 * The architecture of a checkpoint, its tensors checked.
 * @throws BAD_CHECKPOINT for an unknown one, or missing or misshapen tensors
 */
export function featureArchitecture({ name: file, metadata, tensors }: Checkpoint): FeatureArchitecture {
  const bad = (message: string) => new NcvsdError("BAD_CHECKPOINT", `${file}: ${message}`);
  const found = ARCHITECTURES.find(({ name }) => name === metadata.architecture);
  if (!found) {
    const is = metadata.architecture === undefined ? "it names no architecture" : `it is "${metadata.architecture}"`;
    throw bad(`no feature network that is known: ${is}, there is ${featureNetworkNames.join(", ")}`);
  }
  for (const [name, shape] of Object.entries(found.tensors)) {
    const tensor = tensors.get(name);
    if (!tensor) throw bad(`the tensor ${name} of ${found.name} is missing`);
    if (tensor.shape.join() !== shape.join())
      throw bad(`the tensor ${name} is [${tensor.shape.join(", ")}] where ${found.name} has [${shape.join(", ")}]`);
  }
  return found;
}
