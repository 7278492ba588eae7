// Rows that were accepted move: ownX, ownO [rows, dims], ownPhi [rows] take the values of x, o, phi where taken [rows] is 1.
// One invocation: one row.
struct Params {
  threads: u32, // rows
  dims: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> taken: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> phi: array<f32>;
@group(0) @binding(4) var<storage, read> o: array<f32>;
@group(0) @binding(5) var<storage, read_write> ownX: array<f32>;
@group(0) @binding(6) var<storage, read_write> ownPhi: array<f32>;
@group(0) @binding(7) var<storage, read_write> ownO: array<f32>;

fn each(row: u32) {
  if (taken[row] == 1u) {
    ownPhi[row] = phi[row];
    for (var d = 0u; d < MANY; d++) {
      if (d >= p.dims) {
        break;
      }
      let at = row * p.dims + d;
      ownX[at] = x[at];
      ownO[at] = o[at];
    }
  }
}
