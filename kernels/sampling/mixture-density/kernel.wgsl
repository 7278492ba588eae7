// A Gaussian mixture's log density and its gradient, both times a factor: the exact counterpart of a trained energy network.
//
//   phi = factor ln sum_k exp(logs_k - |y_k|^2 / 2),   o = -factor sum_k p_k R_k^T y_k,   y_k = R_k (x - mu_k)
//
// R_k is the inverse of the lower Cholesky factor of covariance k, p_k the responsibilities; logs_k = ln w_k + ln det R_k
// - DIM/2 ln 2 pi. The sum over components is kept relative to its largest term so far. (DISCO, Wedenig and Peharz, section 4:
// sampling needs a log density up to a constant, and its gradient.)
//
//   x, o [rows, DIM]   phi [rows]   means [count, DIM]   factors [count, DIM, DIM], row-major   logs [count]
//
// One invocation: one row. Needs kernels/lib/exp.wgsl and math.wgsl; in front of this text: DIM.
struct Params {
  threads: u32, // rows
  count: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> factors: array<f32>;
@group(0) @binding(4) var<storage, read> logs: array<f32>;
@group(0) @binding(5) var<storage, read_write> phi: array<f32>;
@group(0) @binding(6) var<storage, read_write> o: array<f32>;

fn each(row: u32) {
  var top = -3e38;
  var total = 0.0;
  var pull: array<f32, DIM>;
  var apart: array<f32, DIM>;
  var y: array<f32, DIM>;
  for (var d = 0u; d < DIM; d++) {
    pull[d] = 0.0;
  }
  for (var k = 0u; k < MANY; k++) {
    if (k >= p.count) {
      break;
    }
    for (var d = 0u; d < DIM; d++) {
      apart[d] = x[row * DIM + d] - means[k * DIM + d];
    }
    var square = 0.0;
    for (var i = 0u; i < DIM; i++) {
      let line = (k * DIM + i) * DIM;
      var sum = 0.0;
      for (var d = 0u; d < MANY; d++) {
        if (d > i) {
          break;
        }
        sum += factors[line + d] * apart[d];
      }
      y[i] = sum;
      square += sum * sum;
    }
    let term = logs[k] - 0.5 * square;
    let higher = max(top, term);
    let kept = expFine(max(top - higher, -86.0));
    let share = select(0.0, expFine(max(term - higher, -86.0)), term - higher > -86.0);
    total = total * kept + share;
    for (var d = 0u; d < DIM; d++) {
      var sum = 0.0;
      for (var i = d; i < DIM; i++) {
        sum += factors[(k * DIM + i) * DIM + d] * y[i];
      }
      pull[d] = pull[d] * kept + share * sum;
    }
    top = higher;
  }
  phi[row] = p.factor * (top + ln(total));
  for (var d = 0u; d < DIM; d++) {
    o[row * DIM + d] = -p.factor * pull[d] / total;
  }
}
