import { bad } from "../errors.js";
import type { RawImage } from "../image/pixels.js";
import { cropped, resampled } from "../image/resample.js";

/** How a data set's pictures get one size, under the names of the reference's `dataset_tool`. */
export const TRANSFORMS = ["center-crop-dhariwal", "center-crop", "center-crop-wide"] as const;
export type TransformName = (typeof TRANSFORMS)[number];

/**
 * A picture of width x height, or undefined where `center-crop-wide` has nothing large enough. Agrees with the reference to the
 * bit. Without a name it is scaled, or left alone where no size is given.
 */
export function transformed(
  image: RawImage,
  name: TransformName | undefined,
  size: { readonly width: number; readonly height: number } | undefined,
): RawImage | undefined {
  if (name === undefined) return size ? resampled(image, size.width, size.height, "lanczos") : image;
  if (!size) throw bad(`--transform ${name} needs --resolution, such as 64x64.`);
  if (name === "center-crop-wide") return centreBand(image, size.width, size.height);
  if (name === "center-crop") {
    const side = Math.min(image.width, image.height);
    const [left, top] = [(image.width - side) >> 1, (image.height - side) >> 1];
    return resampled(cropped(image, left, top, side, side), size.width, size.height, "lanczos");
  }
  if (size.width !== size.height)
    throw bad(`--transform ${name} makes squares: give --resolution ${size.width}x${size.width}.`);
  return dhariwal(image, size.width);
}

/** Halved by boxes while twice too large, then bicubic to the shorter side, then its middle (Dhariwal and Nichol 2021). */
function dhariwal(image: RawImage, side: number): RawImage {
  let small = image;
  while (Math.min(small.width, small.height) >= 2 * side) {
    small = resampled(small, small.width >> 1, small.height >> 1, "box");
  }
  const scale = side / Math.min(small.width, small.height);
  small = resampled(small, roundToEven(small.width * scale), roundToEven(small.height * scale), "bicubic");
  return cropped(small, (small.width - side) >> 1, (small.height - side) >> 1, side, side);
}

/** The reference's band: round(width h / w) rows about the middle, scaled, on a black square; nothing of a smaller picture. */
function centreBand(image: RawImage, width: number, height: number): RawImage | undefined {
  const band = roundToEven((width * image.height) / image.width);
  if (image.width < width || band < height) return undefined;
  const cut = cropped(image, 0, (image.height - band) >> 1, image.width, band);
  const scaled = resampled(cut, width, height, "lanczos");
  return cropped(scaled, 0, -((width - height) >> 1), width, width);
}

/** Python's round: halves go to the even neighbour. */
function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
