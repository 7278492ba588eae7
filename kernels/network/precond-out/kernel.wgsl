// Output side of the EDM preconditioning (Karras et al. 2022, eq. 7 and Table 1):
//   d = c_skip x + c_out f,   q = sigma^2 + sigma_data^2,
//   c_skip = sigma_data^2 / q,   c_out = sigma sigma_data / sqrt(q)
// x, d: f32 [batch, size], f: [batch, size], sigma: f32 [batch], size = channels * pixels. One thread, one element.
// q is a sum of squares and both factors are quotients: nothing cancels, for sigma from 1e-4 to 1e3 and far beyond.

struct Params {
  threads: u32,
  size: u32,
  sigmaData: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> f: array<S>;
@group(0) @binding(3) var<storage, read> sigma: array<f32>;
@group(0) @binding(4) var<storage, read_write> d: array<f32>;

fn each(i: u32) {
  let s = sigma[i / p.size];
  let q = s * s + p.sigmaData * p.sigmaData;
  let c_skip = p.sigmaData * p.sigmaData / q;
  let c_out = s * p.sigmaData / sqrt(q);
  d[i] = c_skip * x[i] + c_out * f32(f[i]);
}
