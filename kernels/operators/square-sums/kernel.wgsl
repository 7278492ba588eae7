// Sums of squares of rows, in pieces: y [rows, parts] of x [rows, count], a piece of 1024 values each,
//
//   y[r, k] = sum of (x + t w)^2 over piece k,   t = level[0] / level[1] = s / rho (absent without ADDED)
//
// One workgroup per piece: the invocations take turns with the values, kernels/lib/pair-sum.wgsl adds up their sums. How a row
// is cut depends on its length alone.
const PIECE: u32 = 1024u;

struct Params {
  workgroups: u32, // rows * parts
  count: u32,
  parts: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> level: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each_workgroup(piece: u32, lid: u32) {
  let start = (piece / p.parts) * p.count;
  let first = (piece % p.parts) * PIECE;
  let last = min(first + PIECE, p.count);
  var sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = first + lid + SIZE * turn;
    if (i >= last) {
      break;
    }
    var v = x[start + i];
    if (ADDED) {
      v += level[0] / level[1] * w[start + i];
    }
    sum += v * v;
  }
  let all = pair_sum(lid, sum);
  if (lid == 0u) {
    y[piece] = all;
  }
}
