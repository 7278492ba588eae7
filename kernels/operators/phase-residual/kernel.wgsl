// The inner part of the gradient of || |F x| - measured ||^2 (phase retrieval): half spectrum x [planes, rows, half] of a
// real image, unnormalised, and amplitudes `measured` [planes, rows, columns] with frequency 0 in the middle:
//
//   y = (factor |x| - m) x / |x|,   0 where x is 0,   m[k] = (measured[k] + measured[-k]) / 2
//
// The real part of the inverse FFT of (|a| - measured) a / |a| sees only the part that is Hermitian in k; as |a| is
// symmetric, that is the same expression with the symmetric part of `measured`.
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  half: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> measured: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec2f>;

// Amplitude at frequency (k1, k2), both from 0.
fn amplitude(plane: u32, k1: u32, k2: u32) -> f32 {
  let i = (k1 + p.rows / 2u) % p.rows;
  let j = (k2 + p.columns / 2u) % p.columns;
  return measured[(plane * p.rows + i) * p.columns + j];
}

fn each(i: u32) {
  let k2 = i % p.half;
  let k1 = (i / p.half) % p.rows;
  let plane = i / (p.half * p.rows);
  let v = x[i];
  // Divided by the larger part first: the squares of small values would vanish.
  let larger = max(abs(v.x), abs(v.y));
  var result = vec2f();
  if (larger != 0.0) {
    let direction = normalize(v / larger);
    let m = 0.5 * (amplitude(plane, k1, k2) + amplitude(plane, p.rows - k1, p.columns - k2));
    result = p.factor * v - m * direction;
  }
  y[i] = result;
}
