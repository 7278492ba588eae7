// Noise injection of the generative denoiser (NCVSD, eq. 34):
//
//   sigmaHat = (1 + gamma) sigma,  yHat = y + sqrt(sigmaHat^2 - sigma^2) z = y + sigma sqrt(gamma (2 + gamma)) z
//
//   y, z, yHat [N, E]   sigma, sigmaHat [N]
struct Params {
  threads: u32,
  elements: u32,
  // 1 + gamma
  growth: f32,
  // sqrt(gamma (2 + gamma))
  spread: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read_write> yHat: array<f32>;
@group(0) @binding(5) var<storage, read_write> sigmaHat: array<f32>;

fn each(i: u32) {
  let n = i / p.elements;
  yHat[i] = y[i] + (sigma[n] * p.spread) * z[i];
  if (i % p.elements == 0u) {
    sigmaHat[n] = sigma[n] * p.growth;
  }
}
