// A linear map along one axis of [outer, extent, inner], given as a table: for every output position o of the axis, `taps`
// input positions and weights (both [taps, to]):
//
//   y[., o, .] = factor * sum over t of weights[t, o] x[., positions[t, o], .]      less measured[., o, .], with RESIDUAL:
//   y = factor * (sum - measured)
//
// Resizing (bicubic with antialiasing) and its adjoint are such maps; the adjoint's table lists, for every pixel, the
// outputs that it takes part in. One invocation, one output, terms in the table's order.
struct Params {
  threads: u32,
  extent: u32,
  to: u32,
  inner: u32,
  taps: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> positions: array<u32>;
@group(0) @binding(4) var<storage, read> measured: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let column = i % p.inner;
  let o = (i / p.inner) % p.to;
  let base = (i / (p.inner * p.to)) * p.extent * p.inner + column;
  var sum = 0.0;
  var entry = o;
  for (var t = 0u; t < MANY; t++) {
    if (t >= p.taps) {
      break;
    }
    sum += weights[entry] * x[base + positions[entry] * p.inner];
    entry += p.to;
  }
  if (RESIDUAL) {
    sum -= measured[i];
  }
  y[i] = p.factor * sum;
}
