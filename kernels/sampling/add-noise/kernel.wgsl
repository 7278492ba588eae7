// Churn of the second-order sampler (Karras et al. 2022, Algorithm 2): y = x + level[3] z,
// level = [t, next, guidance, churn scale] of the step, churn scale = S_noise sqrt(t^2 - s^2).
struct Params {
  elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read> level: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (i < p.elements) {
    y[i] = x[i] + level[3] * z[i];
  }
}
