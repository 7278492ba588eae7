// Effective weight of an MPConv in training (EDM2, eq. 66 and `normalize`): every row [fan_in] of w to
//   y = w / (1e-4 + RMS) * factor * gain / sqrt(fan_in);   the host folds factor / sqrt(fan_in) into `scale`.
// w, y: [rows, fan_in], gain: [1]. A workgroup of SIZE invocations for each row; their sums are added in pairs, always in the
// same order. Prelude: SIZE, GAINED.
struct Params {
  rows: u32,
  fan_in: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> gain: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> sums: array<f32, SIZE>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let row = wid.y * nwg.x + wid.x;
  let first = min(row, p.rows - 1u) * p.fan_in;

  var sum = 0.0;
  for (var k = lid; k < p.fan_in; k += SIZE) {
    sum += w[first + k] * w[first + k];
  }
  sums[lid] = sum;
  workgroupBarrier();
  for (var half = SIZE / 2u; half > 0u; half /= 2u) {
    if (lid < half) {
      sums[lid] += sums[lid + half];
    }
    workgroupBarrier();
  }
  var scale = p.scale / (1e-4 + sqrt(sums[0] / f32(p.fan_in)));
  if (GAINED) {
    scale *= gain[0];
  }
  if (row < p.rows) {
    for (var k = lid; k < p.fan_in; k += SIZE) {
      y[first + k] = w[first + k] * scale;
    }
  }
}
