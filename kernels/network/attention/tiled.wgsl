// One workgroup: 32 queries of one head and up to 8 * CHANNELS of its channels (wider heads are split, at the price of
// the logits being computed again). It walks over tiles of 64 keys: logits of 4 queries by 8 keys an invocation, kept
// in registers, then 4 queries by CHANNELS channels of the weighted sum. Norms are computed once in 32 queries.
// load1 comes from load-scalar.wgsl or load-vec4.wgsl, load8 from load8*.wgsl.

// Sums over parts of the channels (or of the keys), by quads of queries.
var<workgroup> partial: array<vec4f, 64>;
// 1 / norm of the tile's k and v.
var<workgroup> invK: array<f32, 64>;
var<workgroup> invV: array<f32, 64>;
// Weights of 64 keys by 8 quads of queries, times 1 / norm of v.
var<workgroup> weights: array<vec4f, 512>;

struct Eight {
  low: vec4f,
  high: vec4f,
}

fn invNorm(squares: f32) -> f32 {
  return 1.0 / (1e-4 + sqrt(squares * p.invDim));
}

// Weights of key number `key`, the tile's `index`-th, for four queries; keys past the last pixel weigh nothing.
fn weigh(products: vec4f, index: u32, key: u32) -> vec4f {
  return select(vec4f(), exp(products * invK[index]), key < p.pixels);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let tile = wid.y * nwg.x + wid.x;
  let queryTiles = (p.quads + 7u) / 8u;
  let channelTiles = (p.headDim + 8u * CHANNELS - 1u) / (8u * CHANNELS);
  if (tile >= p.heads * queryTiles * channelTiles) {
    return;
  }
  // Read once: a compiler may load a uniform anew in every turn of a loop.
  let headDim = p.headDim;
  let quads = p.quads;
  let pixels = p.pixels;
  let width = rowLength();
  let firstChannel = ((tile / queryTiles) % channelTiles) * (8u * CHANNELS);
  let head = tile / (queryTiles * channelTiles);
  // q, k, v of channel c of this head begin at start + 3 width c + 0, width, 2 width.
  let start = head * headDim * 3u * width;
  let step = 3u * width;
  let lane = lid % 8u;
  let slice = lid / 8u;
  let queryQuad = (tile % queryTiles) * 8u + lane;

  var squares = vec4f();
  for (var c = slice; c < headDim; c += 8u) {
    let query = load4(start + step * c, queryQuad, pixels);
    squares += query * query;
  }
  partial[lid] = squares;
  workgroupBarrier();
  squares = vec4f();
  for (var s = 0u; s < 8u; s++) {
    squares += partial[8u * s + lane];
  }
  let queryScale = p.scale / (1e-4 + sqrt(squares * p.invDim));
  workgroupBarrier();

  var acc: array<vec4f, CHANNELS>;
  var total = vec4f();
  for (var keyQuad = 0u; keyQuad < quads; keyQuad += 16u) {
    // 1. q . k of 4 queries (the components) by 8 keys; norms of the one of these keys that has this lane's number.
    var kk = 0.0;
    var vv = 0.0;
    var s0 = vec4f();
    var s1 = vec4f();
    var s2 = vec4f();
    var s3 = vec4f();
    var s4 = vec4f();
    var s5 = vec4f();
    var s6 = vec4f();
    var s7 = vec4f();
    let myQuad = keyQuad + 2u * slice;
    // Sums of at most 32 products, added up: the last bits of a wide head's logits would be lost in one long sum.
    for (var c0 = 0u; c0 < headDim; c0 += 32u) {
      var kPart = 0.0;
      var vPart = 0.0;
      var t0 = vec4f();
      var t1 = vec4f();
      var t2 = vec4f();
      var t3 = vec4f();
      var t4 = vec4f();
      var t5 = vec4f();
      var t6 = vec4f();
      var t7 = vec4f();
      let end = min(c0 + 32u, headDim);
      for (var c = c0; c < end; c++) {
        let query = load4(start + step * c, queryQuad, pixels);
        let key = load1(start + step * c + width, myQuad, lane, pixels);
        let value = load1(start + step * c + 2u * width, myQuad, lane, pixels);
        kPart += key * key;
        vPart += value * value;
        let keys = load8(start + step * c + width, myQuad, lane, pixels);
        t0 += keys.low.x * query;
        t1 += keys.low.y * query;
        t2 += keys.low.z * query;
        t3 += keys.low.w * query;
        t4 += keys.high.x * query;
        t5 += keys.high.y * query;
        t6 += keys.high.z * query;
        t7 += keys.high.w * query;
      }
      kk += kPart;
      vv += vPart;
      s0 += t0;
      s1 += t1;
      s2 += t2;
      s3 += t3;
      s4 += t4;
      s5 += t5;
      s6 += t6;
      s7 += t7;
    }
    invK[lid] = invNorm(kk);
    invV[lid] = invNorm(vv);
    workgroupBarrier();

    // 2. Weights, not yet divided by their sum.
    let key = 4u * myQuad;
    let mine = 8u * slice;
    s0 = weigh(s0 * queryScale, mine, key);
    s1 = weigh(s1 * queryScale, mine + 1u, key + 1u);
    s2 = weigh(s2 * queryScale, mine + 2u, key + 2u);
    s3 = weigh(s3 * queryScale, mine + 3u, key + 3u);
    s4 = weigh(s4 * queryScale, mine + 4u, key + 4u);
    s5 = weigh(s5 * queryScale, mine + 5u, key + 5u);
    s6 = weigh(s6 * queryScale, mine + 6u, key + 6u);
    s7 = weigh(s7 * queryScale, mine + 7u, key + 7u);
    total += ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
    let at = 64u * slice + lane;
    weights[at] = s0 * invV[mine];
    weights[at + 8u] = s1 * invV[mine + 1u];
    weights[at + 16u] = s2 * invV[mine + 2u];
    weights[at + 24u] = s3 * invV[mine + 3u];
    weights[at + 32u] = s4 * invV[mine + 4u];
    weights[at + 40u] = s5 * invV[mine + 5u];
    weights[at + 48u] = s6 * invV[mine + 6u];
    weights[at + 56u] = s7 * invV[mine + 7u];
    workgroupBarrier();

    // 3. Weighted sum of v: 4 queries by CHANNELS channels, 8 keys at a time.
    let last = min(quads - keyQuad, 16u);
    for (var k = 0u; k < last; k += 2u) {
      let first = 32u * k + lane;
      let w0 = weights[first];
      let w1 = weights[first + 8u];
      let w2 = weights[first + 16u];
      let w3 = weights[first + 24u];
      let w4 = weights[first + 32u];
      let w5 = weights[first + 40u];
      let w6 = weights[first + 48u];
      let w7 = weights[first + 56u];
      for (var i = 0u; i < CHANNELS; i++) {
        let c = min(firstChannel + slice + 8u * i, headDim - 1u);
        let v = load8(start + step * c + 2u * width, keyQuad + k, lane, pixels);
        var sum = acc[i];
        sum += v.low.x * w0;
        sum += v.low.y * w1;
        sum += v.low.z * w2;
        sum += v.low.w * w3;
        sum += v.high.x * w4;
        sum += v.high.y * w5;
        sum += v.high.z * w6;
        sum += v.high.w * w7;
        acc[i] = sum;
      }
    }
  }

  // Every slice has the sums of weights of its own keys. `partial` was last read before the last barrier.
  partial[lid] = total;
  workgroupBarrier();
  total = vec4f();
  for (var s = 0u; s < 8u; s++) {
    total += partial[8u * s + lane];
  }
  if (queryQuad < quads) {
    for (var i = 0u; i < CHANNELS; i++) {
      let c = firstChannel + slice + 8u * i;
      if (c < headDim) {
        store4((head * headDim + c) * width, queryQuad, acc[i] / total, pixels);
      }
    }
  }
}
