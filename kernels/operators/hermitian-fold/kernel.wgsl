// The part of centred spectra x [planes, 2, rows, columns] that a real image can have, weighted by w [rows, columns], as half spectra
// y [planes, rows, half] (vec2f, half = floor(columns / 2) + 1, frequency 0 in the corner):
//
//   y[k] = factor conj(turns[k]) (w[k] X[k] + w[-k] conj X[-k]) / 2         (X is not looked at where w is 0)
//
// `turns` holds phases of the rows, then of the columns, as in hermitian-expand.
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  half: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read> turns: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec2f>;

fn weighted(plane: u32, k1: u32, k2: u32) -> vec2f {
  let at = ((k1 + p.rows / 2u) % p.rows) * p.columns + (k2 + p.columns / 2u) % p.columns;
  let size = p.rows * p.columns;
  let weight = mask[at];
  let value = vec2f(x[2u * plane * size + at], x[(2u * plane + 1u) * size + at]);
  return select(weight * value, vec2f(), weight == 0.0);
}

fn each(i: u32) {
  let k2 = i % p.half;
  let k1 = (i / p.half) % p.rows;
  let plane = i / (p.half * p.rows);
  let a = weighted(plane, k1, k2);
  let b = weighted(plane, p.rows - k1, p.columns - k2);
  let turn = multiply(turns[k1], turns[p.rows + k2]);
  y[i] = (0.5 * p.factor) * multiply(vec2f(turn.x, -turn.y), vec2f(a.x + b.x, a.y - b.y));
}
