// Third of three parts of the gradient of EDM2's cosine attention: the gradients of k and v. With the names of
// kernels/network/attention-backward-queries,
//
//   dv^ = sum over queries of A g,     dk^ = sum over queries of A (g . v^ - e) q^ / sqrt(d),
//   dx = (dx^ - x (dx^ . x) / (d r s)) / s,  s = 1e-4 + r(x),  for x = k and x = v.
//
//   qkv, gqkv [N, heads * d * 3, P], channel (head * d + c) * 3 + (q, k, v): only rows of k and v are written; g [N, heads * d, P]
//   norms [N * heads, 4, quads] of vec4f: r of q, k, v, and e (kernels/network/attention-backward-norms)
//   totals [N * heads, quads] of vec4f: sum over keys of exp(S) (kernels/network/attention-backward-queries)
//
// dk^ . k = s * sum over queries of dS S and dv^ . v = s * sum of A (g . v^): no sums over the channels are needed.
//
// The loops over pairs are made by kernels/lib/attention-pairs*.ts, reads and writes of rows by attention-rows.ts.
@group(0) @binding(4) var<storage, read> totals: array<vec4f>;

// A quad of keys: r and 1 / s of k and v; that of k times 1 / sqrt(d).
struct Own {
  rk: vec4f,
  rv: vec4f,
  k: vec4f,
  v: vec4f,
  scaled: vec4f,
}

fn ownOf(head: u32, quad: u32) -> Own {
  let at = (4u * head + 1u) * p.quads + quad;
  let rk = norms[at];
  let rv = norms[at + p.quads];
  let k = 1.0 / (1e-4 + rk);
  return Own(rk, rv, k, 1.0 / (1e-4 + rv), p.scale * k);
}

// A quad of queries: 1 / s of q, 1 / total, e.
struct Other {
  q: vec4f,
  share: vec4f,
  e: vec4f,
}

fn otherOf(head: u32, quad: u32) -> Other {
  let at = 4u * head * p.quads + quad;
  return Other(1.0 / (1e-4 + norms[at]), 1.0 / totals[head * p.quads + quad], norms[at + 3u * p.quads]);
}

struct Weight {
  // dS S and A (g . v^).
  alongK: vec4f,
  alongV: vec4f,
  // What q is multiplied with in dk^ * sqrt(d), and g in dv^.
  factor0: vec4f,
  factor1: vec4f,
}

// Four keys with one query: from q . k and g . v.
fn weigh(own: Own, q: f32, share: f32, e: f32, product: vec4f, gradient: vec4f, inside: bool) -> Weight {
  let logit = product * (q * own.scaled);
  let weight = select(vec4f(), exp(logit) * share, inside);
  let da = gradient * own.v;
  let ds = weight * (da - e);
  return Weight(ds * logit, weight * da, ds * q, weight);
}

struct Result {
  k: vec4f,
  v: vec4f,
  // (dx^ . x) / (d r s)
  alongK: vec4f,
  alongV: vec4f,
}

fn resultOf(own: Own, alongK: vec4f, alongV: vec4f) -> Result {
  // Where r is 0, `along` is 0 as well.
  let rk = max(own.rk, vec4f(1e-20));
  let rv = max(own.rv, vec4f(1e-20));
  return Result(own.k, own.v, alongK * p.invDim / rk, alongV * p.invDim / rv);
}

fn keep(head: u32, quad: u32, result: Result) {}

// The gradients of a quad of k and v in the rows after the one at `at`.
fn finish(result: Result, at: u32, quad: u32, sumK: vec4f, sumV: vec4f) {
  let width = rowLength(p.pixels);
  let k = loadQkv(at + width, quad, width - 1u);
  let v = loadQkv(at + 2u * width, quad, width - 1u);
  storeGqkv(at + width, quad, (sumK * p.scale - k * result.alongK) * result.k, p.pixels);
  storeGqkv(at + 2u * width, quad, (sumV - v * result.alongV) * result.v, p.pixels);
}
