/** An image, and a window that slides over it. */
export interface Window {
  /** Of the input. */
  readonly height: number;
  readonly width: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  /** Of both axes. */
  readonly stride: number;
  /** On each side. */
  readonly padHeight: number;
  readonly padWidth: number;
}

/** Extents of a sliding window's result: floor((size + 2 pad - kernel) / stride) + 1 each. */
export function outputSize(p: Window): { readonly outHeight: number; readonly outWidth: number } {
  return {
    outHeight: Math.floor((p.height + 2 * p.padHeight - p.kernelHeight) / p.stride) + 1,
    outWidth: Math.floor((p.width + 2 * p.padWidth - p.kernelWidth) / p.stride) + 1,
  };
}
