// Gradients of the denoiser's output D = c_skip x + c_out F (EDM2 preconditioning, eq. 7 of Karras et al. 2022):
//   df = c_out g,  dx = c_skip g,  c_skip = sd^2 / (sigma^2 + sd^2),  c_out = sigma sd / sqrt(sigma^2 + sd^2)
// g, dx: [batch, size] f32, sigma: [batch] f32, df: [batch, size] act. Prelude: INPUT (dx is asked for).
struct Params {
  threads: u32,
  size: u32,
  sigmaData: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read_write> df: array<S>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

fn each(i: u32) {
  let s = sigma[i / p.size];
  let q = s * s + p.sigmaData * p.sigmaData;
  df[i] = S(s * p.sigmaData / sqrt(q) * g[i]);
  if (INPUT) {
    dx[i] = p.sigmaData * p.sigmaData / q * g[i];
  }
}
