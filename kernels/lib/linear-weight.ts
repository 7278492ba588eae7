/** Rows of a packed weight are whole vec4s. */
const packedFeatures = (inFeatures: number) => Math.ceil(inFeatures / 4) * 4;

/** Elements of the packed weight: [M, K rounded up to a multiple of 4]. */
export function linearWeightLength(outFeatures: number, inFeatures: number): number {
  return outFeatures * packedFeatures(inFeatures);
}

/** Packs row-major [M, K] into `out` from row `firstRow` on, zero padded. */
export function packLinearWeight(
  w: Float32Array,
  outFeatures: number,
  inFeatures: number,
  out = new Float32Array(linearWeightLength(outFeatures, inFeatures)),
  firstRow = 0,
): Float32Array<ArrayBuffer> {
  const stride = packedFeatures(inFeatures);
  for (let row = 0; row < outFeatures; row++) {
    out.set(w.subarray(row * inFeatures, (row + 1) * inFeatures), (firstRow + row) * stride);
  }
  return out;
}

/** How a text reads it: `L4`, `quad_of`. */
export const LINEAR_WEIGHT = "alias L4 = W4;\nfn quad_of(w: L4) -> vec4f { return weight4(w); }\n";
