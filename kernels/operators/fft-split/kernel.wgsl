// Row transforms of pairs of real rows, F [planes, ceil(height / 2), columns], to the half spectrum of each row,
// y [planes, rows, half] with half = floor(columns / 2) + 1: for the rows a (real part) and b (imaginary part),
//
//   A[k] = (F[k] + conj F[-k]) / 2,   B[k] = (F[k] - conj F[-k]) / 2i
//
// The image's rows stand `top` rows from the top, the others are 0 (their transform of zeros). One invocation, one value.
struct Params {
  threads: u32,
  height: u32,
  columns: u32,
  half: u32,
  rows: u32,
  top: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2f>;

fn each(i: u32) {
  let k = i % p.half;
  let row = (i / p.half) % p.rows;
  let plane = i / (p.half * p.rows);
  var v = vec2f();
  if (row >= p.top && row - p.top < p.height) {
    let r = row - p.top;
    let line = (plane * ((p.height + 1u) / 2u) + r / 2u) * p.columns;
    let f = x[line + k];
    let g = x[line + select(p.columns - k, 0u, k == 0u)];
    v = 0.5 * select(vec2f(f.x + g.x, f.y - g.y), vec2f(f.y + g.y, g.x - f.x), (r & 1u) == 1u);
  }
  y[i] = v;
}
