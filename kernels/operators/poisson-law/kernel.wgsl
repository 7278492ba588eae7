// One draw per entry of the posterior of a count: measured ~ Poisson(l), l = peak (v + 1) / 2 + background,
// v ~ N(x, rho^2), level = [-, rho], as the quantile at Phi(z). With mu = peak (x + 1) / 2 + background, t = peak rho / 2,
// n = measured, the mode m of l and e = l - m > -m, the log density is
//
//   n (ln(1 + e / m) - e / m) + g e - e^2 / 2 t^2,     g = 0, or min(mu / t^2 - 1, 0) where n = 0
//
// (linear terms cancel at the mode). Between the points where it has fallen by 18 the density is summed over CELLS cells of
// four points of Gauss and Legendre each, from the nearer end; Newton's steps go on inside the cell that holds the quantile.
struct Params {
  threads: u32,
  peak: f32,
  background: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> measured: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read> level: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const CELLS: u32 = 20u;
const FALL: f32 = 18.0;

struct Law {
  count: f32,
  mode: f32,
  slope: f32,
  // 1 / t
  narrow: f32,
}

// ln(1 + v) - v
fn lnLess(v: f32) -> f32 {
  if (v < -0.29 || v > 0.41) {
    return ln(max(1.0 + v, 1e-37)) - v;
  }
  let s = v / (2.0 + v);
  let w = s * s;
  let series = w * (0.66666662693 + w * (0.40000972152 + w * (0.28498786688 + w * 0.24279078841)));
  let half = 0.5 * v * v;
  return s * (half + series) - half;
}

fn logDensity(law: Law, e: f32) -> f32 {
  let u = e * law.narrow;
  var value = law.slope * e - 0.5 * u * u;
  if (law.count > 0.0) {
    value += law.count * lnLess(e / law.mode);
  }
  return value;
}

fn density(law: Law, e: f32) -> f32 {
  return decay(max(0.0, -logDensity(law, e)));
}

// The integral of the density from a to a + w.
fn cellMass(law: Law, a: f32, w: f32) -> f32 {
  let outer = density(law, a + 0.0694318442 * w) + density(law, a + 0.9305681558 * w);
  let inner = density(law, a + 0.3300094782 * w) + density(law, a + 0.6699905218 * w);
  return w * (0.1739274226 * outer + 0.3260725774 * inner);
}

// Where the density has fallen by FALL above the mode: from a bound above it Newton's steps come down, for it is log-concave.
fn upperEnd(law: Law) -> f32 {
  var e = 6.0 / law.narrow;
  if (law.count > 0.0) {
    let c = FALL / law.count;
    e = min(e, law.mode * (c + sqrt(c * (c + 2.0))));
  }
  if (law.slope < 0.0) {
    e = min(e, FALL / -law.slope);
  }
  for (var step = 0; step < 3; step++) {
    var slope = law.slope - e * law.narrow * law.narrow;
    if (law.count > 0.0) {
      slope -= law.count * (e / law.mode) / (law.mode + e);
    }
    e -= (logDensity(law, e) + FALL) / slope;
  }
  return e;
}

fn lowerEnd(law: Law) -> f32 {
  var e = min(law.mode, 6.0 / law.narrow);
  if (law.count > 0.0) {
    e = min(e, law.mode * 6.0 / sqrt(law.count));
  }
  return -e;
}

fn each(i: u32) {
  let t = 0.5 * p.peak * level[1];
  let mu = 0.5 * p.peak * (x[i] + 1.0) + p.background;
  let n = max(measured[i], 0.0);
  let b = mu - t * t;
  let root = sqrt(b * b + 4.0 * n * t * t);
  var mode = 0.5 * (b + root);
  if (b < 0.0) {
    mode = 2.0 * n * t * t / (root - b);
  }
  let law = Law(n, mode, select(0.0, min(b / (t * t), 0.0), n == 0.0), 1.0 / t);

  let low = lowerEnd(law);
  let high = upperEnd(law);
  let w = (high - low) / f32(CELLS);
  var total = 0.0;
  for (var cell = 0u; cell < CELLS; cell++) {
    total += cellMass(law, low + f32(cell) * w, w);
  }
  // Sums run from the end that is nearer in probability: `way` is +1 from below, -1 from above.
  let below = upperTail(-z[i]);
  let above = upperTail(z[i]);
  let way = select(-1.0, 1.0, below <= above);
  let first = select(high, low, below <= above);
  let goal = min(below, above) * total;
  var sum = 0.0;
  var start = first;
  var rest = goal;
  var found = false;
  for (var cell = 0u; cell < CELLS; cell++) {
    let a = first + way * f32(cell) * w;
    let mass = cellMass(law, select(a - w, a, way > 0.0), w);
    if (!found && (sum + mass >= goal || cell == CELLS - 1u)) {
      found = true;
      start = a;
      rest = goal - sum;
    }
    sum += mass;
  }
  // Steps outside the bracket [near, far] of the root are replaced by its middle.
  var near = 0.0;
  var far = w;
  var e = 0.5 * w;
  for (var step = 0; step < 12; step++) {
    let over = cellMass(law, select(start - e, start, way > 0.0), e) - rest;
    if (over > 0.0) {
      far = e;
    } else {
      near = e;
    }
    let next = e - over / density(law, start + way * e);
    e = select(0.5 * (near + far), next, next >= near && next <= far);
  }
  let l = max(mode + (start + way * e), 0.0);
  y[i] = 2.0 * (l - p.background) / p.peak - 1.0;
}
