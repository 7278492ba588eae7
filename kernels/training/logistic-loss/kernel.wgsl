// Logistic loss of a discriminator's logits z [N] and its gradient (NCVSD, eq. 15, and Algorithm 3):
//
//   real images:  loss = softplus(-z),  dz = (sigmoid(z) - 1) * factor
//   made images:  loss = softplus(z),   dz = sigmoid(z) * factor
//
// With x = -z or z: softplus(x) = max(x, 0) + ln(1 + e^-|x|), and no exponential overflows. Prelude: REAL.
struct Params {
  threads: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dz: array<f32>;

// ln(1 + v) = 2 artanh(v / (2 + v)) for 0 <= v <= 1, small v included.
fn lnOnePlus(v: f32) -> f32 {
  let s = v / (2.0 + v);
  let q = s * s;
  let far = 0.11111111 + q * (0.09090909 + q * (0.07692308 + q * 0.06666667));
  return 2.0 * s * (1.0 + q * (0.33333334 + q * (0.2 + q * (0.14285715 + q * far))));
}

fn each(i: u32) {
  let x = select(z[i], -z[i], REAL);
  // e^-86 is a normal f32, and nothing beside what it is added to.
  let tail = expFine(-min(abs(x), 86.0));
  loss[i] = max(x, 0.0) + lnOnePlus(tail);
  let slope = select(1.0, tail, x < 0.0) / (1.0 + tail);
  dz[i] = select(slope, -slope, REAL) * p.factor;
}
