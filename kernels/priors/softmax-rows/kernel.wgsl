// Softmax of rows in place, and the logarithm of the sums: w[r, j] <- exp(l_j - total[r]), total[r] = log sum over j of exp(l_j),
// with l = w or, for squared distances, l = -w / (2 sigma[r]^2).
//
//   w [rows, count]    sigma [rows]    total [rows]
//
// One workgroup a row. Every invocation keeps the largest logit so far and a sum that is scaled when it rises; they are put
// together in pairs, always in the same order. Needs exp.wgsl and math.wgsl; prelude: SIZE, SQUARES.
struct Params {
  workgroups: u32, // rows
  count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> w: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read_write> total: array<f32>;

const LOWEST: f32 = -3.4028234663852886e38;

// The largest logit, and the sum of exp(logit - largest).
const LEVELS: u32 = countTrailingZeros(SIZE);
var<workgroup> parts: array<vec2f, SIZE>;

fn exp_small(v: f32) -> f32 {
  return select(expFine(v), 0.0, v < -87.0);
}

fn joined(a: vec2f, b: vec2f) -> vec2f {
  let top = max(a.x, b.x);
  // Of a logit that is not finite, which max() may drop, the sum is not finite either.
  return vec2f(top, a.y * exp_small(a.x - top) + b.y * exp_small(b.x - top));
}

fn logit(row: u32, j: u32, scale: f32) -> f32 {
  return w[row * p.count + j] * scale;
}

fn each_workgroup(row: u32, lid: u32) {
  var scale = 1.0;
  if (SQUARES) {
    scale = -0.5 / (sigma[row] * sigma[row]);
  }
  var own = vec2f(LOWEST, 0.0);
  for (var turn = 0u; turn < MANY; turn++) {
    let j = lid + SIZE * turn;
    if (j >= p.count) {
      break;
    }
    own = joined(own, vec2f(logit(row, j, scale), 1.0));
  }
  parts[lid] = own;
  workgroupBarrier();
  for (var level = 1u; level <= LEVELS; level++) {
    let half = SIZE >> level;
    if (lid < half) {
      parts[lid] = joined(parts[lid], parts[lid + half]);
    }
    workgroupBarrier();
  }
  let all = parts[0];
  for (var turn = 0u; turn < MANY; turn++) {
    let j = lid + SIZE * turn;
    if (j >= p.count) {
      break;
    }
    w[row * p.count + j] = exp_small(logit(row, j, scale) - all.x) / all.y;
  }
  if (lid == 0u) {
    total[row] = all.x + ln(all.y);
  }
}
