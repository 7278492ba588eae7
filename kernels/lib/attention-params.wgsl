// What attention and the kernels over pairs of its backward pass have of the host (kernels/lib/attention-params.ts).
struct Params {
  headDim: u32,
  pixels: u32,
  // Quads of a row of pixels, the last one perhaps not full.
  quads: u32,
  // Of all images.
  heads: u32,
  // 1 / sqrt(headDim) and 1 / headDim
  scale: f32,
  invDim: f32,
}
