// From the gradient of a squared misfit to that of the misfit itself: v = gradient / (2 norm) per image, since
// grad n = grad n^2 / (2 n) (Chung et al. 2023, Algorithm 1). Where nothing is left to fit, norm = 0, v is 0.
// gradient, v, d: [images, size], norm: [images]. CLIPPED: 0 where the estimate d that was clipped to [-1, 1] lay outside.
struct Params {
  threads: u32,
  size: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> norm: array<f32>;
@group(0) @binding(3) var<storage, read> d: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;

fn each(i: u32) {
  let n = norm[i / p.size];
  var slope = 0.0;
  if (n != 0.0) {
    slope = gradient[i] / (2.0 * n);
  }
  if (CLIPPED) {
    slope = select(slope, 0.0, abs(d[i]) > 1.0);
  }
  v[i] = slope;
}
