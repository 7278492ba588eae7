// Amplitude of an orthonormal, centred 2-D FFT from the half spectrum of a real image: x [planes, rows, half],
// half = floor(columns / 2) + 1, unnormalised, to y [planes, rows, columns] with frequency 0 at (rows / 2, columns / 2):
//
//   y[i, j] = factor |F[i - floor(rows / 2), j - floor(columns / 2)]|,   F[-k] = conj F[k]
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  half: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let plane = i / (p.columns * p.rows);
  var k1 = ((i / p.columns) % p.rows + (p.rows + 1u) / 2u) % p.rows;
  var k2 = (i % p.columns + (p.columns + 1u) / 2u) % p.columns;
  if (k2 >= p.half) {
    k1 = select(p.rows - k1, 0u, k1 == 0u);
    k2 = p.columns - k2;
  }
  y[i] = p.factor * length(x[(plane * p.rows + k1) * p.half + k2]);
}
