// One draw per entry of the posterior of a rounded measurement: y = Q(v + s n), v ~ N(x, rho^2), level = [s, rho]. That y
// was seen says that w = v + s n lies in a cell [a, b]; with d^2 = rho^2 + s^2
//
//   w = the quantile at Phi(z) of N(x, d^2) truncated to [a, b],   y' = x + rho^2 / d^2 (w - x) + rho s / d z2
//
// Cells: L + 1 levels 2 j / L - 1 with cells half-way to the next ones, the outer two open; or, with BLOCKS, those of
// integers j = floor(c / q + 1/2) where c = 127.5 v, less 4 at the first entry of each block of 8 x 8 (JPEG; images
// [batch, 1, height, width], `steps` holds the 64 values q).
struct Params {
  threads: u32,
  width: u32,
  levels: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> measured: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read> z2: array<f32>;
@group(0) @binding(5) var<storage, read> level: array<f32>;
@group(0) @binding(6) var<storage, read> steps: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let ratio = level[0] / level[1];
  let spread = 1.0 + ratio * ratio;
  let d = level[1] * sqrt(spread);
  var low = 0.0;
  var high = 0.0;
  var width = 0.0;
  if (BLOCKS) {
    let place = (i / p.width) % 8u * 8u + i % p.width % 8u;
    let q = steps[place];
    let offset = select(0.0, 4.0, place == 0u);
    low = (q * (measured[i] - 0.5) + offset) / 127.5;
    high = (q * (measured[i] + 0.5) + offset) / 127.5;
    width = q / 127.5;
  } else {
    // Halves before the product: (y + 1) / 2 L would round away what decides between two cells.
    let j = clamp(floor((0.5 * measured[i] + 0.5) * p.levels + 0.5), 0.0, p.levels);
    width = 2.0 / p.levels;
    low = (2.0 * j - 1.0) / p.levels - 1.0;
    high = (2.0 * j + 1.0) / p.levels - 1.0;
    if (j == 0.0) {
      low = -OPEN;
      width = OPEN;
    }
    if (j == p.levels) {
      high = OPEN;
      width = OPEN;
    }
  }
  let w = truncatedQuantile(x[i], d, low, high, width, upperTail(-z[i]), upperTail(z[i]));
  y[i] = w / spread + x[i] * (ratio * ratio / spread) + (level[0] / sqrt(spread)) * z2[i];
}
