// Forced weight normalisation (Karras et al. 2024, algorithm 1) of all weights of a network, in place:
//   W <- W / (eps + RMS(W)) for every row, one row per output channel; rows of zeros stay.
// w: f32 [elements], a bank of parameters; table: u32 [rows][2] = first element and length of a row. Rows lie anywhere, have
// any lengths of at least 1 and do not overlap: one workgroup has a row to itself.
struct Params {
  workgroups: u32, // rows
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;

fn each_workgroup(row: u32, lid: u32) {
  let start = table[row].x;
  let length = table[row].y;
  let end = start + length;
  var own = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = start + lid + SIZE * turn;
    if (i >= end) {
      break;
    }
    own += w[i] * w[i];
  }
  let scale = EPS + sqrt(pair_sum(lid, own) / f32(length));
  for (var turn = 0u; turn < MANY; turn++) {
    let i = start + lid + SIZE * turn;
    if (i >= end) {
      break;
    }
    w[i] /= scale;
  }
}
