// Half spectra of real images x [planes, rows, half] (vec2f, half = floor(columns / 2) + 1, frequency 0 in the corner) to whole ones
// as centred planes y [planes, 2, rows, columns]: factor turns[k] F[k], F[-k] = conj F[k], and 0 where the mask is 0. `turns` holds
// phases of the rows, then of the columns: those that move the middle of the image to the corner.
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  half: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read> turns: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let size = p.rows * p.columns;
  let plane = i / size;
  var k1 = ((i / p.columns) % p.rows + (p.rows + 1u) / 2u) % p.rows;
  var k2 = (i % p.columns + (p.columns + 1u) / 2u) % p.columns;
  var sign = 1.0;
  if (k2 >= p.half) {
    k1 = select(p.rows - k1, 0u, k1 == 0u);
    k2 = p.columns - k2;
    sign = -1.0;
  }
  let v = multiply(multiply(turns[k1], turns[p.rows + k2]), x[(plane * p.rows + k1) * p.half + k2]);
  let known = mask[i % size] != 0.0;
  let first = i + plane * size;
  y[first] = select(0.0, p.factor * v.x, known);
  y[first + size] = select(0.0, p.factor * sign * v.y, known);
}
