// Spectra x [planes, rows, columns] (vec2f = re, im, frequency 0 in the corner) to planes y [planes, 2, rows, columns] with frequency
// 0 at (floor(rows / 2), floor(columns / 2)), times factor; or, with BACK, planes to spectra. MASKED: 0 where the mask, which
// stands as the planes do, is 0, whatever is there.
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let plane = p.rows * p.columns;
  let n = i / plane;
  let row = (i / p.columns) % p.rows;
  let column = i % p.columns;
  // Of the spectrum's entry i: its place among the planes.
  let centred = ((row + p.rows / 2u) % p.rows) * p.columns + (column + p.columns / 2u) % p.columns;
  let first = 2u * n * plane + centred;
  var known = true;
  if (MASKED) {
    known = mask[centred] != 0.0;
  }
  if (BACK) {
    y[2u * i] = select(0.0, p.factor * x[first], known);
    y[2u * i + 1u] = select(0.0, p.factor * x[first + plane], known);
  } else {
    y[first] = select(0.0, p.factor * x[2u * i], known);
    y[first + plane] = select(0.0, p.factor * x[2u * i + 1u], known);
  }
}
