// The end of DISCO's network: z = W v + bias, and for an energy phi = |z|^2 = -E with its derivative dz = 2 z.
// v [channels][columns], dz [dims][columns] f32; z [rows, dims], phi [rows]: rows are the first columns. w: the bank of parameters, in
// which W [dims, channels] and the bias begin where it is said. One invocation for each column. phi / sigma^2 is a log density: an
// error here is multiplied by a hundred, so the sum over the channels is of 16 sums of every 16th, added in pairs. (What additions round
// off cannot be carried along: compilers take such terms for zero.)
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  dims: u32,
  channels: u32,
  weight: u32,
  bias: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
@group(0) @binding(4) var<storage, read_write> phi: array<f32>;
@group(0) @binding(5) var<storage, read_write> dz: array<f32>;

// Terms of four channels.
fn four(row: u32, c: u32, column: u32) -> vec4f {
  let at = c * p.columns + column;
  let a = vec4f(w[row + c], w[row + c + 1u], w[row + c + 2u], w[row + c + 3u]);
  return a * vec4f(v[at], v[at + p.columns], v[at + 2u * p.columns], v[at + 3u * p.columns]);
}

fn each(column: u32) {
  var square = 0.0;
  for (var d = 0u; d < MANY; d++) {
    if (d >= p.dims) {
      break;
    }
    let row = p.weight + d * p.channels;
    let whole = p.channels - p.channels % 16u;
    var sums = mat4x4f();
    for (var turn = 0u; turn < MANY; turn++) {
      let c = 16u * turn;
      if (c >= whole) {
        break;
      }
      sums[0] += four(row, c, column);
      sums[1] += four(row, c + 4u, column);
      sums[2] += four(row, c + 8u, column);
      sums[3] += four(row, c + 12u, column);
    }
    var rest = w[p.bias + d];
    for (var c = whole; c < MANY; c++) {
      if (c >= p.channels) {
        break;
      }
      rest += w[row + c] * v[c * p.columns + column];
    }
    let quad = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    let value = ((quad.x + quad.y) + (quad.z + quad.w)) + rest;
    square += value * value;
    if (ENERGY) {
      dz[d * p.columns + column] = 2.0 * value;
    }
    if (column < p.rows) {
      z[column * p.dims + d] = value;
    }
  }
  if (ENERGY && column < p.rows) {
    phi[column] = square;
  }
}
