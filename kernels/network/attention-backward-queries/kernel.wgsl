// Second of three parts of the gradient of EDM2's cosine attention: the gradient of q. With q^ = q / (1e-4 + r(q)) and k^, v^
// likewise, S = q^ . k^ / sqrt(d), A = softmax of S over keys, y = sum over keys of A v^ and g the gradient of y,
//
//   dS = A (g . v^ - e),  e = g . y,     dq^ = sum over keys of dS k^ / sqrt(d),
//   dq = (dq^ - q (dq^ . q) / (d r s)) / s,  s = 1e-4 + r(q).
//
//   qkv, gqkv [N, heads * d * 3, P], channel (head * d + c) * 3 + (q, k, v): only rows of q are written; g [N, heads * d, P]
//   norms [N * heads, 4, quads] of vec4f: r of q, k, v, and e (kernels/network/attention-backward-norms)
//   totals [N * heads, quads] of vec4f: sum over keys of exp(S), for kernels/network/attention-backward-keys
//
// dq^ . q = s * sum over keys of dS S: no sum over the channels is needed, so that wide heads can be split. |S| <= sqrt(d), so
// exp cannot overflow for d <= 4096, and A is divided by its total at the end. No P x P tensor is stored.
//
// The loops over pairs are made by kernels/lib/attention-pairs*.ts, reads and writes of rows by attention-rows.ts.
@group(0) @binding(4) var<storage, read_write> totals: array<vec4f>;

// A quad of queries: r and 1 / s of q, that times 1 / sqrt(d), and e.
struct Own {
  r: vec4f,
  inverse: vec4f,
  scaled: vec4f,
  e: vec4f,
}

fn ownOf(head: u32, quad: u32) -> Own {
  let at = 4u * head * p.quads + quad;
  let r = norms[at];
  let inverse = 1.0 / (1e-4 + r);
  return Own(r, inverse, p.scale * inverse, norms[at + 3u * p.quads]);
}

// A quad of keys: 1 / s of k and of v.
struct Other {
  k: vec4f,
  v: vec4f,
}

fn otherOf(head: u32, quad: u32) -> Other {
  let at = (4u * head + 1u) * p.quads + quad;
  return Other(1.0 / (1e-4 + norms[at]), 1.0 / (1e-4 + norms[at + p.quads]));
}

struct Weight {
  // exp(S), and dS S, not yet divided by the total.
  total: vec4f,
  along: vec4f,
  // What k is multiplied with in dq^ * sqrt(d).
  factor0: vec4f,
}

// Four queries with one key: from q . k and g . v.
fn weigh(own: Own, k: f32, v: f32, product: vec4f, gradient: vec4f, inside: bool) -> Weight {
  let logit = product * (k * own.scaled);
  let weight = select(vec4f(), exp(logit), inside);
  let ds = weight * (gradient * v - own.e);
  return Weight(weight, ds * logit, ds * k);
}

struct Result {
  total: vec4f,
  inverse: vec4f,
  // 1 / (total sqrt(d)), and (dq^ . q) / (d r s)
  scale: vec4f,
  along: vec4f,
}

fn resultOf(own: Own, total: vec4f, along: vec4f) -> Result {
  // Where r is 0, `along` is 0 as well.
  let r = max(own.r, vec4f(1e-20));
  return Result(total, own.inverse, p.scale / total, along * p.invDim / (total * r));
}

fn keep(head: u32, quad: u32, result: Result) {
  totals[head * p.quads + quad] = result.total;
}

// The gradient of a quad of q in the row at `at`.
fn finish(result: Result, at: u32, quad: u32, sum: vec4f) {
  let q = loadQkv(at, quad, rowLength(p.pixels) - 1u);
  storeGqkv(at, quad, (sum * result.scale - q * result.along) * result.inverse, p.pixels);
}
