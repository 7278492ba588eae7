import { basename } from "node:path";
import { NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { BatchShape, RawImage } from "../../image/pixels.js";
import type { Model } from "../../networks/edm2/model.js";
import { LATENT_CHANNELS, pixelByte } from "../../networks/vae/latents.js";
import { Vae } from "../../networks/vae/vae.js";

/** What becomes of the values that a network makes. */
export interface Pictures {
  /** Absent: the values are the picture. null: there is no way to a picture, only `--save-raw` is written. */
  readonly pictures?: ((values: Float32Array, shape: BatchShape) => Promise<RawImage[]>) | null;
  /** C, H, W of a picture. */
  readonly shape: readonly [number, number, number];
  /** SHA-256 of the VAE: it decides images. */
  readonly vaeSha256?: string;
}

export const VAE_HELP =
  "for networks of latents (img512): Stability's VAE, .safetensors with diffusers' names (sd-vae-ft-mse)";

/**
 * Opens the VAE that a network of latents needs.
 * @throws NcvsdError BAD_ARGUMENT where `--vae` has no place, or where without it nothing could be written
 */
export async function openPictures(
  gpu: Gpu,
  model: Model,
  flags: { readonly vae?: string; readonly saveRaw?: string; readonly grid?: string },
): Promise<Pictures> {
  const [channels, height, width] = model.shape;
  const name = basename(model.checkpoint.name);
  if (channels !== LATENT_CHANNELS) {
    if (flags.vae === undefined) return { shape: model.shape };
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `--vae is for networks of latents with ${LATENT_CHANNELS} channels; ${name} makes images of ${channels} by itself: leave it out.`,
    );
  }
  if (flags.vae === undefined) {
    if (flags.saveRaw !== undefined && flags.grid === undefined) return { pictures: null, shape: model.shape };
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `${name} makes latents, which only a VAE turns into pictures: give --vae FILE (Stability's VAE as safetensors), or --save-raw FILE alone for the latents themselves.`,
    );
  }
  const vae = await Vae.open(gpu, flags.vae);
  const side = vae.factor;
  return {
    shape: [vae.structure.imageChannels, side * height, side * width],
    vaeSha256: await vae.checkpoint.sha256(),
    async pictures(values, shape) {
      const { images, shape: size } = await vae.decode(values, shape);
      return toImages(images, size);
    },
  };
}

/** [N, 3, H, W] with 0 black and 1 white to pictures. */
export function toImages(values: Float32Array, [n, channels, height, width]: BatchShape): RawImage[] {
  if (channels !== 1 && channels !== 3) {
    throw new NcvsdError("BAD_CHECKPOINT", `The VAE makes ${channels} channels, which are no picture.`);
  }
  const plane = height * width;
  return Array.from({ length: n }, (_, i) => {
    const data = new Uint8Array(plane * channels);
    for (let c = 0; c < channels; c++) {
      const start = (i * channels + c) * plane;
      for (let p = 0; p < plane; p++) data[p * channels + c] = pixelByte(values[start + p]!);
    }
    return { width, height, channels, data };
  });
}
