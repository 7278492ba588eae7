// y = factor * sum of a row of x: the last step of a sum per image.   x [rows, count], y [rows]
//
// One workgroup per row: every invocation adds up each 64th value, then kernels/lib/pair-sum.wgsl their sums.
struct Params {
  workgroups: u32, // rows
  count: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn each_workgroup(row: u32, lid: u32) {
  var sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.count) {
      break;
    }
    sum += x[row * p.count + i];
  }
  let all = pair_sum(lid, sum);
  if (lid == 0u) {
    y[row] = p.factor * all;
  }
}
