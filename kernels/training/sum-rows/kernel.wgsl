// y = factor * sum of a row of x: the last step of a sum per image.   x [rows, count], y [rows]
//
// One workgroup per row: every invocation adds up each 64th value, then the sums are added in pairs, always in the same order.
struct Params {
  rows: u32,
  count: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let row = wid.y * nwg.x + wid.x;
  if (row >= p.rows) {
    return;
  }
  var sum = 0.0;
  for (var i = lid; i < p.count; i += 64u) {
    sum += x[row * p.count + i];
  }
  sums[lid] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lid < half) {
      sums[lid] += sums[lid + half];
    }
    workgroupBarrier();
  }
  if (lid == 0u) {
    y[row] = p.factor * sums[0];
  }
}
