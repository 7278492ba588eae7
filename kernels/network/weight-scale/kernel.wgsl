// What the rows of an MPConv's weight [rows, fan_in] are multiplied by in training (EDM2, eq. 66 and `normalize`):
//   y = factor * gain / (1e-4 + RMS) / sqrt(fan_in);   the host folds factor / sqrt(fan_in) into `scale`.
// The effective weight w * y is made where weights are packed. w: [rows, fan_in], gain: [1], y: [rows]. A workgroup of SIZE
// invocations for each row; kernels/lib/pair-sum.wgsl adds their sums. In front of this text: kernels/lib/weight-rows.wgsl,
// SIZE, GAINED, V.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<V>;
@group(0) @binding(2) var<storage, read> gain: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each_workgroup(row: u32, lid: u32) {
  let first = row * p.units;
  var sum = V();
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= p.units) {
      break;
    }
    sum += w[first + k] * w[first + k];
  }
  let all = pair_sum(lid, added(sum));
  if (lid == 0u) {
    var scale = p.scale / (1e-4 + sqrt(all / f32(p.fan_in)));
    if (GAINED) {
      scale *= gain[0];
    }
    y[row] = scale;
  }
}
