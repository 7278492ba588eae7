/**
 * Output F of the small U-Net in float64, by the plain loops of the tests: `node bench/run.mjs small-unet-reference` writes
 * bench/small-unet.json anew, in about two minutes. Needed again only when the network, its weights or its input change.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expectedTensors } from "../src/networks/edm2/names.js";
import { referenceTeacher } from "../test/support/reference-network.js";
import { networkInput, randomTensor, SMALL_UNET, type SmallUnetReference } from "./random-network.js";

const SIGMA = 1;
const { img_channels: channels, img_resolution: side } = SMALL_UNET;
const shapes = expectedTensors("edm2", SMALL_UNET);
const tensors = new Map([...shapes].map(([name, shape]) => [name, randomTensor(name, shape)]));
const x = networkInput(channels * side * side);
const { f } = referenceTeacher(SMALL_UNET, (name) => tensors.get(name)!, x, SIGMA, []);
const file = fileURLToPath(new URL("../../bench/small-unet.json", import.meta.url));
const record: SmallUnetReference = { sigma: SIGMA, f: Buffer.from(Float32Array.from(f).buffer).toString("base64") };
writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
process.stdout.write(`${file}: ${f.length} values\n`);
