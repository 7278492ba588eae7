// The end of DISCO's network: z = g + bias, and for an energy phi = |z|^2 = -E with its derivative dz = 2 z.
// g, dz [dims][columns] f32; z [rows, dims], phi [rows]: rows are the first columns. w: the bank of parameters. One invocation for each
// column.
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  dims: u32,
  bias: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
@group(0) @binding(4) var<storage, read_write> phi: array<f32>;
@group(0) @binding(5) var<storage, read_write> dz: array<f32>;

fn each(column: u32) {
  var sum = 0.0;
  for (var d = 0u; d < p.dims; d++) {
    let value = g[d * p.columns + column] + w[p.bias + d];
    sum += value * value;
    if (ENERGY) {
      dz[d * p.columns + column] = 2.0 * value;
    }
    if (column < p.rows) {
      z[column * p.dims + d] = value;
    }
  }
  if (ENERGY && column < p.rows) {
    phi[column] = sum;
  }
}
