import { resampled } from "../../image/resample.js";
import { antialiasedBicubic, bilinear, resizePlanes, tf1Bilinear } from "./resizing.js";

/** Mean and standard deviation of ImageNet's channels, for values in [0, 1]. */
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

/** What becomes of an 8-bit picture before the network. */
export interface Preparation {
  readonly size: readonly [height: number, width: number];
  /**
   * nvidia: TF1's bilinear resizing of 0..255, then (x - 128) / 128. pytorch-fid: bilinear about the pixels' centres, then
   * 2 x / 255 - 1. imagenet: antialiased bicubic, neither rounded nor clipped, x / 255 less ImageNet's mean over its deviation.
   * pil: the same with Pillow's bicubic resizing of 8-bit pictures.
   */
  readonly rule: "nvidia" | "pytorch-fid" | "imagenet" | "pil";
}

/** One picture [C, H, W] of 1, 3 or 4 channels as the network takes it, [3, height, width], computed in float64. */
export function prepared(
  image: Uint8Array,
  [channels, height, width]: readonly [number, number, number],
  { size, rule }: Preparation,
): Float32Array {
  const plane = height * width;
  const colours = channels === 1 ? [0, 0, 0] : [0, 1, 2];
  const rgb = new Uint8Array(3 * plane);
  for (const [to, from] of colours.entries()) rgb.set(image.subarray(from * plane, (from + 1) * plane), to * plane);
  if (rule === "nvidia") {
    const values = resizePlanes(rgb, [height, width], size, tf1Bilinear);
    return Float32Array.from(values, (v) => (v - 128) / 128);
  }
  if (rule === "pytorch-fid") {
    const values = resizePlanes(rgb, [height, width], size, bilinear);
    return Float32Array.from(values, (v) => (2 * v) / 255 - 1);
  }
  const values =
    rule === "pil" ? pillow(rgb, height, width, size) : resizePlanes(rgb, [height, width], size, antialiasedBicubic);
  const pixels = size[0] * size[1];
  return Float32Array.from(values, (v, i) => {
    const c = Math.floor(i / pixels);
    return (v / 255 - MEAN[c]!) / STD[c]!;
  });
}

function pillow(rgb: Uint8Array, height: number, width: number, [toHeight, toWidth]: readonly [number, number]) {
  const data = new Uint8Array(rgb.length);
  const plane = height * width;
  for (let p = 0; p < plane; p++) for (let c = 0; c < 3; c++) data[3 * p + c] = rgb[c * plane + p]!;
  const out = resampled({ width, height, channels: 3, data }, toWidth, toHeight, "bicubic").data;
  const pixels = toHeight * toWidth;
  return Float64Array.from({ length: 3 * pixels }, (_, i) => out[3 * (i % pixels) + Math.floor(i / pixels)]!);
}
