import type { Checkpoint } from "../../checkpoint/index.js";
import type { WeightSource } from "../../layers/weights.js";
import { INCEPTION_CONVS, type InceptionConv, type InceptionWidths, inceptionInputs } from "./inception.js";
import { notThis, requireShape, shapeOf, type TensorHash } from "./named-tensors.js";

const NETWORK = "Inception-v3 of FID";
/** Of the batch normalisation. */
const EPS = 1e-3;

/** Where a file keeps what belongs to a convolution. */
interface Names {
  readonly weight: string;
  /** Absent: 1. */
  readonly gamma?: string;
  readonly beta: string;
  readonly mean: string;
  readonly variance: string;
}

export interface InceptionFile {
  readonly widths: InceptionWidths;
  readonly dims: number;
  /** `NAME.weight` and `NAME.bias` of every convolution, batch normalisation folded into them in float64. */
  source(hash: TensorHash): WeightSource;
}

/**
 * Inception-v3 in one of its layouts: NVIDIA's (`layers.mixed_10.conv.weight`, pickle or TorchScript) or pytorch-fid's
 * (`Mixed_7c.branch1x1.conv.weight`).
 * @returns undefined when the file has no such tensors
 * @throws BAD_CHECKPOINT when it is another Inception-v3, or tensors are missing or misshapen
 */
export function inceptionFile(file: Checkpoint): InceptionFile | undefined {
  const namesOf = layoutOf(file);
  if (!namesOf) return undefined;
  const widths = new Map<string, number>();
  for (const conv of INCEPTION_CONVS) {
    const { weight } = namesOf(conv);
    const shape = shapeOf(file, NETWORK, weight);
    if (shape.length !== 4)
      throw notThis(file.name, NETWORK, `the tensor ${weight} is [${shape.join(", ")}], no weight of a convolution`);
    widths.set(conv.name, shape[0]!);
  }
  const { inputs, dims } = inceptionInputs(widths);
  for (const conv of INCEPTION_CONVS) {
    const { weight, gamma, ...rest } = namesOf(conv);
    const width = widths.get(conv.name)!;
    requireShape(file, NETWORK, weight, [width, inputs.get(conv.name)!, ...conv.kernel]);
    for (const name of [...Object.values(rest), ...(gamma ? [gamma] : [])]) requireShape(file, NETWORK, name, [width]);
  }
  return { widths, dims, source: (hash) => folded(file, namesOf, hash) };
}

function layoutOf(file: Checkpoint): ((conv: InceptionConv) => Names) | undefined {
  const names = [...file.tensors.keys()];
  const prefixOf = (mark: string) =>
    names.find((name) => name === mark || name.endsWith(`.${mark}`))?.slice(0, -mark.length);
  const nvidia = prefixOf("layers.mixed_10.conv.weight");
  if (nvidia !== undefined) {
    return (conv) => {
      const at = `${nvidia}layers.${conv.nvidia}`;
      return { weight: `${at}.weight`, beta: `${at}.beta`, mean: `${at}.mean`, variance: `${at}.var` };
    };
  }
  const prefix = prefixOf("Mixed_7c.branch1x1.conv.weight");
  if (prefix === undefined) return undefined;
  const outputs = file.tensors.get(`${prefix}fc.weight`)?.shape[0];
  if (outputs === 1000 || names.some((name) => name.startsWith(`${prefix}AuxLogits.`))) {
    const what = outputs === 1000 ? "its classifier has 1000 classes" : "it has AuxLogits";
    throw notThis(
      file.name,
      NETWORK,
      `${what}: it is torchvision's classifier, with other weights and other pooling; FID needs pt_inception-2015-12-05 or inception-2015-12-05`,
    );
  }
  return ({ name }) => {
    const [conv, bn] = [`${prefix}${name}.conv`, `${prefix}${name}.bn`];
    return {
      weight: `${conv}.weight`,
      gamma: `${bn}.weight`,
      beta: `${bn}.bias`,
      mean: `${bn}.running_mean`,
      variance: `${bn}.running_var`,
    };
  };
}

function folded(file: Checkpoint, namesOf: (conv: InceptionConv) => Names, hash: TensorHash): WeightSource {
  const convs = new Map(INCEPTION_CONVS.map((conv) => [conv.name, conv]));
  const read = async (conv: InceptionConv, part: keyof Names) => {
    const name = namesOf(conv)[part];
    if (name === undefined) return undefined;
    const values = await file.readF32(name);
    // Layouts without a factor have factors of 1: the same network.
    if (part !== "gamma" || values.some((v) => v !== 1))
      await hash.add(`${conv.name}.${part}`, file.tensors.get(name)!.shape, values);
    return values;
  };
  return {
    async readF32(name) {
      const at = name.lastIndexOf(".");
      const conv = convs.get(name.slice(0, at))!;
      const [gamma, variance] = [await read(conv, "gamma"), (await read(conv, "variance"))!];
      const worst = variance.findIndex((v) => !(v + EPS > 0));
      if (worst >= 0) throw notThis(file.name, NETWORK, `channel ${worst} of ${conv.name} has a negative variance`);
      const scale = Float64Array.from(variance, (v, i) => (gamma?.[i] ?? 1) / Math.sqrt(v + EPS));
      if (name.endsWith(".bias")) {
        const [beta, mean] = [(await read(conv, "beta"))!, (await read(conv, "mean"))!];
        return Float32Array.from(beta, (b, i) => b - mean[i]! * scale[i]!);
      }
      const weight = (await read(conv, "weight"))!;
      const row = weight.length / scale.length;
      return weight.map((w, i) => w * scale[Math.floor(i / row)]!);
    },
  };
}
