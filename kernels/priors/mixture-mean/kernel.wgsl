// What a Gaussian mixture's components say of x0 given x = x0 + sigma z, weighted:
//
//   y = sum over k of w_k m_k    m_k = mu_k + Q_k g_k t_k    g_kj = l_kj / (l_kj + sigma^2)
//
//   with the posterior weights:  the denoiser D(x; sigma)
//   DRAW, with a single 1:       m_k + Q_k sqrt(g_k) sigma z, a draw of x0: its covariance is Q_k diag(g_k sigma^2) Q_k'
//   SLOPES:                      without mu_k, and onto what y holds: derivatives of D
//
//   w [rows, parts]    sigma [rows]    t [rows, parts, dims]    means, values [parts, dims]    vectors [parts, dims, dims]
//   z, y [rows, dims]
//
// One invocation a value. Prelude: DRAW, SLOPES.
struct Params {
  threads: u32,
  parts: u32,
  dims: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read> means: array<f32>;
@group(0) @binding(5) var<storage, read> vectors: array<f32>;
@group(0) @binding(6) var<storage, read> values: array<f32>;
@group(0) @binding(7) var<storage, read> z: array<f32>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let row = i / p.dims;
  let at = i % p.dims;
  let level = sigma[row];
  var total = 0.0;
  for (var k = 0u; k < MANY; k++) {
    if (k >= p.parts) {
      break;
    }
    let weight = w[row * p.parts + k];
    if (weight != 0.0) {
      var sum = 0.0;
      if (!SLOPES) {
        sum = means[k * p.dims + at];
      }
      for (var j = 0u; j < MANY; j++) {
        if (j >= p.dims) {
          break;
        }
        let l = values[k * p.dims + j];
        let g = l / (l + level * level);
        var c = g * t[(row * p.parts + k) * p.dims + j];
        if (DRAW) {
          c += sqrt(g) * level * z[row * p.dims + j];
        }
        sum += vectors[(k * p.dims + at) * p.dims + j] * c;
      }
      total += weight * sum;
    }
  }
  if (SLOPES) {
    total += y[i];
  }
  y[i] = total;
}
