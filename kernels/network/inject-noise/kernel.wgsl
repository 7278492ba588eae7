// Noise injection of the generative denoiser (NCVSD, eq. 34):
//
//   sigmaHat = (1 + gamma) sigma,  yHat = y + sqrt(sigmaHat^2 - sigma^2) z = y + sigma sqrt(gamma (2 + gamma)) z
//
//   y, z, yHat [N, E]   sigma, sigmaHat [N]
struct Params {
  batch: u32,
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

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (i >= p.batch * p.elements) {
    return;
  }
  let n = i / p.elements;
  yHat[i] = y[i] + (sigma[n] * p.spread) * z[i];
  if (i % p.elements == 0u) {
    sigmaHat[n] = sigma[n] * p.growth;
  }
}
