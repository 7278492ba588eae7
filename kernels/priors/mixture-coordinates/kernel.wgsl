// A row in the coordinates of each component of a Gaussian mixture, and the component's logit at the row's noise level:
//
//   t_k = Q_k' (x - mu_k)    logits_k = log w_k - 1/2 sum over j of [ t_kj^2 / (l_kj + sigma^2) + log(l_kj + sigma^2) ]
//
//   x [rows, dims]    sigma [rows]    means [parts, dims]    vectors [parts, dims, dims], Q_k with eigenvectors as columns
//   values [parts, dims], l_k >= 0    logs [parts], log w_k    t [rows, parts, dims]    logits [rows, parts]
//
// C_k = Q_k diag(l_k) Q_k'; what all logits have in common is left out. One workgroup a row and component. Needs math.wgsl.
struct Params {
  workgroups: u32, // rows times parts
  parts: u32,
  dims: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read> means: array<f32>;
@group(0) @binding(4) var<storage, read> vectors: array<f32>;
@group(0) @binding(5) var<storage, read> values: array<f32>;
@group(0) @binding(6) var<storage, read> logs: array<f32>;
@group(0) @binding(7) var<storage, read_write> t: array<f32>;
@group(0) @binding(8) var<storage, read_write> logits: array<f32>;

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
      sum += vectors[(part * p.dims + i) * p.dims + j] * (x[row * p.dims + i] - means[part * p.dims + i]);
    }
    t[w * p.dims + j] = sum;
    let variance = values[part * p.dims + j] + level;
    own += sum * sum / variance + ln(variance);
  }
  let total = pair_sum(lid, own);
  if (lid == 0u) {
    logits[w] = logs[part] - 0.5 * total;
  }
}
