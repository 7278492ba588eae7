// One draw per entry of the posterior of a clipped measurement: y = clip(scale v, -1, 1) + s n, v ~ N(x, rho^2),
// level = [s, rho], as the quantile at Phi(z). The law has three pieces, below -1/scale, between, and above 1/scale:
//
//   exp(-(y + 1)^2 / 2 s^2) Phi((-1/scale - x) / rho),                   then N(x, rho^2) truncated
//   exp(-(y - scale x)^2 / 2 (s^2 + scale^2 rho^2)) (sqrt(v) / rho) Phi(middle), then N(mu, v) truncated, where
//     v = 1 / (scale^2 / s^2 + 1 / rho^2),   mu = v (scale y / s^2 + x / rho^2)
//   exp(-(y - 1)^2 / 2 s^2) (1 - Phi((1/scale - x) / rho)),              then N(x, rho^2) truncated
struct Params {
  threads: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> measured: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read> level: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// ln of e^(-t^2 / 2)
fn bell(t: f32) -> f32 {
  return -0.5 * t * t;
}

fn each(i: u32) {
  let s = level[0];
  let rho = level[1];
  let edge = 1.0 / p.scale;
  let gain = p.scale * rho / s;
  let spread = 1.0 + gain * gain;
  let root = rho / sqrt(spread);
  let off = measured[i] - p.scale * x[i];
  // mu, from whichever of x and y / scale it is near to.
  let fromX = x[i] + edge * (gain * gain / spread) * off;
  let fromY = measured[i] * edge - edge * off / spread;
  let mu = select(fromX, fromY, gain > 1.0);

  let lower = (-edge - x[i]) / rho;
  let upper = (edge - x[i]) / rho;
  let width = 2.0 * edge / root;
  let logs = vec3f(
    bell((measured[i] + 1.0) / s) + logTail(-lower),
    bell(off / s / sqrt(spread)) - 0.5 * ln(spread) + logMass((-edge - mu) / root, (edge - mu) / root, width),
    bell((measured[i] - 1.0) / s) + logTail(upper),
  );
  let largest = max(logs.x, max(logs.y, logs.z));
  let weights = vec3f(decay(largest - logs.x), decay(largest - logs.y), decay(largest - logs.z));
  let shares = weights / (weights.x + weights.y + weights.z);

  // The piece that holds the quantile, what of it is below and above. The smaller of the two probabilities is exact, also far in
  // the tails, and decides; the other is its complement.
  let below = upperTail(-z[i]);
  let above = upperTail(z[i]);
  let isLow = below <= shares.x;
  let isHigh = !isLow && above <= shares.z;
  let inMiddle = !isLow && !isHigh;
  let share = select(select(shares.y, shares.z, isHigh), shares.x, isLow);
  let before = select(select(shares.x, shares.x + shares.y, isHigh), 0.0, isLow);
  let after = select(select(shares.z, 0.0, isHigh), shares.y + shares.z, isLow);
  let rise = clamp((below - before) / share, 1e-30, 1.0);
  let fall = clamp((above - after) / share, 1e-30, 1.0);
  let fromBelow = below < above;
  let part = select(max(1.0 - fall, 1e-30), rise, fromBelow);
  let rest = select(fall, max(1.0 - rise, 1e-30), fromBelow);
  let low = select(select(-edge, edge, isHigh), -OPEN, isLow);
  let high = select(select(edge, OPEN, isHigh), -edge, isLow);
  let span = select(OPEN, 2.0 * edge, inMiddle);
  y[i] = truncatedQuantile(select(x[i], mu, inMiddle), select(rho, root, inMiddle), low, high, span, part, rest);
}
