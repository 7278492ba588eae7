export interface AdamSettings {
  readonly lr: number;
  /** Updates so far, this one included: 1, 2, … */
  readonly step: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
}

/** The kernel's `settings` of an update, in double precision; defaults are EDM2's. */
export function adamSettings({ lr, step, beta1 = 0.9, beta2 = 0.99, eps = 1e-8 }: AdamSettings): Float64Array {
  const root = 1 / Math.sqrt(1 - beta2 ** step);
  return Float64Array.of(lr / (1 - beta1 ** step), root, beta1, 1 - beta1, beta2, 1 - beta2, eps);
}
