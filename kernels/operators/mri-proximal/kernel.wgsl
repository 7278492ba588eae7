// The posterior draw of masked Fourier samples, in the frequency domain, as what must be added to x: spectra X of the prior's
// centre and Z of standard normal pictures [planes, rows, columns] (vec2f), unnormalised, frequency 0 in the corner;
// measurements Y as centred planes [planes, 2, rows, columns] (orthonormal); level = [s, rho]:
//
//   measured frequencies:   rho^2 / (s^2 + rho^2) (Y / factor - X) + s rho / sqrt(s^2 + rho^2) Z
//   the others:             rho Z                                                 (Y is not looked at)
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> measured: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<vec2f>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read> level: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec2f>;

fn each(i: u32) {
  let plane = p.rows * p.columns;
  let row = ((i / p.columns) % p.rows + p.rows / 2u) % p.rows;
  let column = (i % p.columns + p.columns / 2u) % p.columns;
  let centred = row * p.columns + column;
  let rho = level[1];
  var change = rho * z[i];
  if (mask[centred] != 0.0) {
    let ratio = rho / level[0];
    let spread = 1.0 + ratio * ratio;
    let first = 2u * (i / plane) * plane + centred;
    let seen = vec2f(measured[first], measured[first + plane]) / p.factor;
    change = (ratio * ratio / spread) * (seen - x[i]) + (rho / sqrt(spread)) * z[i];
  }
  y[i] = change;
}
