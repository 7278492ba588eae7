/** What the solver evaluates: a network, with the one that guides it, or a conditional denoiser. */
export interface Evaluated {
  /** [N, C, H, W], after `evaluate`. */
  readonly denoised: GPUBuffer;
  /** The guiding network's, shaped alike. */
  readonly reference?: GPUBuffer;
  /** From `input` at level `sigma`; `next` is the level after the step. */
  evaluate(input: GPUBuffer, sigma: number, next: number): Promise<void>;
}
