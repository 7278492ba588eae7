// y[index] = sum of x, y = 0 elsewhere: the last step of the sums of a gradient. One workgroup: every invocation adds up each
// 64th value, then kernels/lib/pair-sum.wgsl their sums.
struct Params {
  workgroups: u32, // 1
  count: u32,
  index: u32,
  len: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn each_workgroup(_w: u32, lid: u32) {
  var sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.count) {
      break;
    }
    sum += x[i];
  }
  let all = pair_sum(lid, sum);
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.len) {
      break;
    }
    y[i] = select(0.0, all, i == p.index);
  }
}
