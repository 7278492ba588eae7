// Effective weight of an MPConv in training (EDM2, eq. 66 and `normalize`): every row [fan_in] of w to
//   y = w / (1e-4 + RMS) * factor * gain / sqrt(fan_in);   the host folds factor / sqrt(fan_in) into `scale`.
// w, y: [rows, fan_in], gain: [1]. A workgroup of SIZE invocations for each row; kernels/lib/pair-sum.wgsl adds their sums.
// In front of this text: kernels/lib/weight-rows.wgsl, SIZE, GAINED.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> gain: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each_workgroup(row: u32, lid: u32) {
  let first = row * p.fan_in;
  var sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= p.fan_in) {
      break;
    }
    sum += w[first + k] * w[first + k];
  }
  var scale = p.scale / (1e-4 + sqrt(pair_sum(lid, sum) / f32(p.fan_in)));
  if (GAINED) {
    scale *= gain[0];
  }
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= p.fan_in) {
      break;
    }
    y[first + k] = w[first + k] * scale;
  }
}
