// The derivative of weights, from slopes of their logits, in place of the slopes: s[r, j] <- f w[r, j] (s[r, j] - mean), with
// mean = sum over j of w[r, j] s[r, j], and f = 1 or 1/sigma[r]^2.
//
//   w, s [rows, count], rows of w sum to 1    sigma [rows]
//
// One workgroup a row. Prelude: SIZE, LEVELS.
struct Params {
  workgroups: u32, // rows
  count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read_write> s: array<f32>;

fn each_workgroup(row: u32, lid: u32) {
  var own = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let j = lid + SIZE * turn;
    if (j >= p.count) {
      break;
    }
    own += w[row * p.count + j] * s[row * p.count + j];
  }
  let mean = pair_sum(lid, own);
  var factor = 1.0;
  if (LEVELS) {
    factor = 1.0 / (sigma[row] * sigma[row]);
  }
  for (var turn = 0u; turn < MANY; turn++) {
    let j = lid + SIZE * turn;
    if (j >= p.count) {
      break;
    }
    let i = row * p.count + j;
    s[i] = factor * w[i] * (s[i] - mean);
  }
}
