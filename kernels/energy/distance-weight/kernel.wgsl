// Weights of a step's rows by how far from the data they are: weight *= (sigma^2 / (sigma^2 + |goal|^2))^(power / 2), power 1 or 2.
// Far away the target is the way to the nearest datum, large and full of kinks, which a network cannot follow and need not.
// goal [rows, dims], weight [rows] f32. One invocation for each row.
struct Params {
  threads: u32,
  dims: u32,
  power: u32,
  // sigma^2
  square: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> goal: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;

fn each(row: u32) {
  var away = 0.0;
  for (var d = 0u; d < MANY; d++) {
    if (d >= p.dims) {
      break;
    }
    let off = goal[row * p.dims + d];
    away += off * off;
  }
  let share = p.square / (p.square + away);
  weight[row] *= select(sqrt(share), share, p.power == 2u);
}
