// First half of group normalisation (Wu & He 2018): mean and sum of squared deviations of every piece of a group.
//
//   x [N, C, P], plus bias [C] where BIAS;   partials [N * groups][pieces][2]
//
// A group is C / groups neighbouring channels, one run in memory, and is cut into pieces of PIECE elements, one a
// workgroup, so that one huge group keeps a whole GPU busy. Two passes over a piece: nothing cancels.
struct Params {
  channels: u32,
  pixels: u32,
  groups: u32,
  // Elements of a group and its pieces.
  length: u32,
  pieces: u32,
  // N * groups * pieces
  workgroups: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<S>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

// Element i of group g (of all images).
fn at(g: u32, i: u32) -> f32 {
  let v = f32(x[g * p.length + i]);
  if (!BIAS) {
    return v;
  }
  return v + bias[(g % p.groups) * (p.channels / p.groups) + i / p.pixels];
}

fn each_workgroup(w: u32, lid: u32) {
  let g = w / p.pieces;
  let start = (w % p.pieces) * PIECE;
  let end = min(start + PIECE, p.length);
  var sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = start + lid + SIZE * turn;
    if (i >= end) {
      break;
    }
    sum += at(g, i);
  }
  let mean = pair_sum(lid, sum) / f32(end - start);
  workgroupBarrier();
  sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = start + lid + SIZE * turn;
    if (i >= end) {
      break;
    }
    let d = at(g, i) - mean;
    sum += d * d;
  }
  let squares = pair_sum(lid, sum);
  if (lid == 0u) {
    partials[2u * w] = mean;
    partials[2u * w + 1u] = squares;
  }
}
