// Pixels that are known in place of others, value by value: y = known where mask is not 0, else x. Replacement in inpainting with
// a score, and the mixtures of clean and noisy pixels that a model without noise levels learns at (Wedenig and Peharz, "Effective
// Diffusion-free Score Matching for Exact Conditional Sampling", appendix D). What is not taken is not looked at, be it finite or not.
struct Params {
  threads: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> known: array<f32>;
@group(0) @binding(3) var<storage, read> mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  if (mask[i] != 0.0) {
    y[i] = known[i];
  } else {
    y[i] = x[i];
  }
}
