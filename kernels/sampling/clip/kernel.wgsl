// y = x, cut to [-1, 1], the range of images, element by element; what is not finite passes, so that a watch sees it. Needs
// kernels/lib/clip.wgsl.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  y[i] = clip_finite(x[i], 1.0);
}
