import { discPool } from "../../../kernels/network/disc-pool/kernel.js";
import type { Tensor } from "../../graph/graph.js";
import type { Build } from "../../layers/layers.js";
import type { NetworkConfig } from "./arguments.js";
import type { Feature } from "./block.js";
import { blockPlan, expectedTensors } from "./names.js";
import type { NetworkInputs } from "./network.js";
import { addEmbedding, addEncoder, addInput, addScales, type Part } from "./unet.js";

/**
 * Name and shape of every tensor of NCVSD's discriminator (section 4.3): the two encoders of the conditional network, `ctrl` for
 * the condition and `enc` for the image, and `out_conv` on what both found.
 */
export function discriminatorTensors(config: NetworkConfig): Map<string, number[]> {
  const all = expectedTensors("ncvsd", config);
  const tensors = new Map([...all].filter(([name]) => /^(ctrl|enc)\./.test(name)));
  return tensors.set("out_conv.weight", [1, 2 * blockPlan(config).encoder.at(-1)!.outChannels]);
}

function encoded(
  build: Build,
  config: NetworkConfig,
  name: "ctrl" | "enc",
  { x, sigma, labels }: NetworkInputs,
): Feature {
  const part: Part = { config, plan: blockPlan(config), prefix: `${name}.`, embTap: `${name}.` };
  const scales = addScales(build, part, ["enc"], addEmbedding(build, part, sigma, labels));
  return addEncoder(build, part, name, addInput(build, config, name, x, sigma), scales, () => {});
}

/** What the discriminator makes of the condition: it serves several images under the same one. */
export function addCondition(build: Build, config: NetworkConfig, condition: NetworkInputs): Feature {
  const feature = encoded(build, config, "ctrl", condition);
  build.tap("ctrl_x", feature.tensor);
  return feature;
}

/**
 * One logit per image, [N, 1] f32: out_conv of the mean over the pixels of mp_cat(condition, image's features, 0.5).
 * @param image noisy images and their level
 */
export function addLogits(build: Build, config: NetworkConfig, condition: Feature, image: NetworkInputs): Tensor {
  const { graph, batch, layers } = build;
  const feature = encoded(build, config, "enc", image);
  build.tap("enc_x", feature.tensor);
  const [channelsA, channelsB] = [condition.channels, feature.channels];
  const params = { batch, channelsA, channelsB, pixels: feature.height * feature.width };
  const inFeatures = channelsA + channelsB;
  const inputs = { a: condition.tensor, b: feature.tensor };
  const pooled = graph.run("pooled", discPool, params, inputs, { y: [batch, inFeatures] }).y;
  build.tap("pooled", pooled);
  return layers.linear(build, "out_conv", { inFeatures, outFeatures: 1, weight: "out_conv.weight" }, pooled);
}
