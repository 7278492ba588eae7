// One invocation a query of a head.
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (i >= p.threads) {
    return;
  }
  let query = i % p.tokens;
  let head = (i / p.tokens) % p.heads;
  let image = i / (p.tokens * p.heads);
  let part = p.heads * HEAD * p.tokens;
  let q0 = (image * 3u * p.heads + head) * HEAD * p.tokens;
  let k0 = q0 + part;
  let v0 = k0 + part;

  var q: array<f32, HEAD>;
  var sums: array<f32, HEAD>;
  for (var c = 0u; c < HEAD; c++) {
    q[c] = qkv[q0 + c * p.tokens + query] * p.scale;
    sums[c] = 0.0;
  }
  var top = -3.4028234663852886e38;
  var total = 0.0;
  for (var key = 0u; key < MANY; key++) {
    if (key >= p.keys) {
      break;
    }
    var logit = 0.0;
    for (var c = 0u; c < HEAD; c++) {
      logit += q[c] * qkv[k0 + c * p.tokens + key];
    }
    let higher = max(top, logit);
    let keep = exp(top - higher);
    // Of a logit that is not finite, which max() may drop, this is not finite either.
    let weight = exp(logit - higher);
    top = higher;
    total = total * keep + weight;
    for (var c = 0u; c < HEAD; c++) {
      sums[c] = sums[c] * keep + weight * qkv[v0 + c * p.tokens + key];
    }
  }
  let out = (image * p.heads + head) * HEAD * p.tokens + query;
  for (var c = 0u; c < HEAD; c++) {
    y[out + c * p.tokens] = sums[c] / total;
  }
}
