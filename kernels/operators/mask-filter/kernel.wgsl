// A mask m [elements] of zeros and ones on images [batch, elements]:
//
//   y = m x                      or, with RESIDUAL (the gradient of |m (x - measured)|^2),   y = 2 m (x - measured)
//
// Where m is 0 nothing of x or `measured` is used, be it finite or not.
struct Params {
  batch: u32,
  elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read> measured: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

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
  var v = 0.0;
  if (mask[i % p.elements] != 0.0) {
    v = x[i];
    if (RESIDUAL) {
      v = 2.0 * (v - measured[i]);
    }
  }
  y[i] = v;
}
