// A direction in the coordinates of each component of a Gaussian mixture, and the slope of the component's logit along it:
//
//   a_k = Q_k' v    slopes_k = - sum over j of t_kj a_kj / (l_kj + sigma^2)
//
//   v [rows, dims]    sigma [rows]    t [rows, parts, dims], of mixture-coordinates    vectors [parts, dims, dims]
//   values [parts, dims]    a [rows, parts, dims]    slopes [rows, parts]
//
// One workgroup a row and component.
struct Params {
  workgroups: u32, // rows times parts
  parts: u32,
  dims: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read> vectors: array<f32>;
@group(0) @binding(5) var<storage, read> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> a: array<f32>;
@group(0) @binding(7) var<storage, read_write> slopes: array<f32>;

fn each_workgroup(w: u32, lid: u32) {
  let row = w / p.parts;
  let part = w % p.parts;
  let level = sigma[row] * sigma[row];
  var own = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let j = lid + SIZE * turn;
    if (j >= p.dims) {
      break;
    }
    var sum = 0.0;
    for (var i = 0u; i < MANY; i++) {
      if (i >= p.dims) {
        break;
      }
      sum += vectors[(part * p.dims + i) * p.dims + j] * v[row * p.dims + i];
    }
    a[w * p.dims + j] = sum;
    own -= sum * t[w * p.dims + j] / (values[part * p.dims + j] + level);
  }
  let total = pair_sum(lid, own);
  if (lid == 0u) {
    slopes[w] = total;
  }
}
