/**
 * The scale of latents: the networks work on values of standard deviation 0.5 and mean 0, the VAE on its own ("raw") ones.
 * Figures of EDM2's StabilityVAEEncoder for ImageNet-512 (Karras et al. 2024).
 */
const RAW_MEAN = [5.81, 3.25, 0.12, -2.15];
const RAW_STD = [4.17, 4.62, 3.71, 3.28];
const FINAL_STD = 0.5;

/** Channels of a latent whose scale is known. */
export const LATENT_CHANNELS = RAW_MEAN.length;

/** Factor and shift of each channel from raw to final, in float32 as the reference has them. */
const SCALE = RAW_STD.map((std) => Math.fround(Math.fround(FINAL_STD) / Math.fround(std)));
const BIAS = SCALE.map((scale, c) => Math.fround(-Math.fround(Math.fround(RAW_MEAN[c]!) * scale)));

/** Per channel, from raw to final: x scale + bias. */
export const LATENT_SCALE = { scale: SCALE, bias: BIAS } as const;

/** Final latents [N, 4, P] to raw ones: (x - bias) / scale. */
export function toRawLatents(x: Float32Array, pixels: number): Float32Array {
  return x.map((value, i) => {
    const c = Math.floor(i / pixels) % LATENT_CHANNELS;
    return Math.fround(value - BIAS[c]!) / SCALE[c]!;
  });
}

/** Raw latents [N, 4, P] to final ones: x * scale + bias. */
export function toFinalLatents(x: Float32Array, pixels: number): Float32Array {
  return x.map((value, i) => {
    const c = Math.floor(i / pixels) % LATENT_CHANNELS;
    return Math.fround(value * SCALE[c]!) + BIAS[c]!;
  });
}

/** What the decoder gives for black and white is 0 and 1: truncate(255 v), v clipped; a value that is not finite stays one. */
export function pixelByte(v: number): number {
  return Math.trunc(Math.fround(255 * Math.min(1, Math.max(0, v))));
}
