/** The constructor arguments of the reference networks, under the reference's names. */

/** "edm2": the teacher `Precond`. "ncvsd": the conditional network `PrecondCondition` of the generative denoiser. */
export type Architecture = "edm2" | "ncvsd";

/** Arguments of both architectures. */
export interface NetworkConfig {
  /** Height and width of the images, in pixels (or latent pixels). Divisible by 2^(levels - 1). */
  readonly img_resolution: number;
  /** Channels of the images. */
  readonly img_channels: number;
  /** Number of classes; 0 = unconditional. */
  readonly label_dim: number;
  /** Base number of channels. */
  readonly model_channels: number;
  /** Channels of each level, in units of model_channels; its length is the number of levels. */
  readonly channel_mult: readonly number[];
  /** Length of the Fourier embedding in units of model_channels; null = channel_mult[0]. */
  readonly channel_mult_noise: number | null;
  /** Length of the embedding vector in units of model_channels; null = the largest of channel_mult. */
  readonly channel_mult_emb: number | null;
  /** Encoder blocks per level; the decoder has one more. */
  readonly num_blocks: number;
  /** Resolutions whose blocks ask for attention. */
  readonly attn_resolutions: readonly number[];
  /** mp_sum weight of the label against the noise embedding, 0 to 1. */
  readonly label_balance: number;
  /** mp_cat weight of the skip against the main path, 0 to 1. */
  readonly concat_balance: number;
  /** Taps of the up- and downsampling filter: even length, symmetric; divided by their sum when used. */
  readonly resample_filter: readonly number[];
  /** A block that asks for attention has floor(channels / channels_per_head) heads. */
  readonly channels_per_head: number;
  /** mp_sum weight of the residual branch, 0 to 1. */
  readonly res_balance: number;
  /** mp_sum weight of attention, 0 to 1. */
  readonly attn_balance: number;
  /** Block outputs are clipped to [-clip_act, clip_act]; null = not at all. */
  readonly clip_act: number | null;
  /** Standard deviation of the data, in the preconditioning. */
  readonly sigma_data: number;
  /** Width of the uncertainty head. */
  readonly logvar_channels: number;
}

/** Arguments of "ncvsd": those of the network and two of the generative denoiser around it. */
export interface NcvsdConfig extends NetworkConfig {
  /** G(y, sigma) evaluates at sigma (1 + gamma). */
  readonly gamma: number;
  /** Noise level from which generation starts. */
  readonly init_sigma: number;
}
