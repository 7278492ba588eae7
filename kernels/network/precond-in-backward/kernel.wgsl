// Gradient of a network's input (EDM2 preconditioning, eq. 7 of Karras et al. 2022): dx = c_in g without the channel of ones,
// c_in = 1 / sqrt(sigma^2 + sigma_data^2). No gradient reaches a noise level.
// g: [batch, channels + 1, pixels] act, sigma: [batch] f32, dx: [batch, channels, pixels] f32.
struct Params {
  threads: u32,
  size: u32, // values of an image
  ones: u32, // values of its channel of ones
  sigmaData: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<S>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

fn each(i: u32) {
  let n = i / p.size;
  let s = sigma[n];
  dx[i] = f32(g[i + n * p.ones]) / sqrt(s * s + p.sigmaData * p.sigmaData);
}
