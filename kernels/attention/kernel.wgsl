// Cosine attention of EDM2 (Karras et al. 2024) over the pixels of an image, one head a time:
//
//   y = sum_k w_k v_k,  w = softmax over keys k of (q . k / sqrt(d)),
//
// q, k and v normalised over the d channels of the head: x / (1e-4 + sqrt(mean_c x^2)).
//
//   qkv [N, heads * d * 3, P], channel (head * d + c) * 3 + s with s = 0, 1, 2 for q, k, v;   y [N, heads * d, P]
//
// |q . k| / sqrt(d) <= sqrt(d), since all are normalised: exp cannot overflow for d <= 4096, so that one pass over the
// keys will do and nothing is rescaled.
//
// One workgroup: 32 queries of one head and up to 8 * CHANNELS of its channels (heads that are wider are split, at the
// price of the logits being computed again). It walks over tiles of 32 keys: 4 x 4 logits an invocation in registers,
// then 4 queries x CHANNELS channels of the sum. Norms are shared through workgroup memory: 1/32 of the work.
// `Quad`, load4 and store4 come from load-vec4.wgsl or load-scalar.wgsl.
struct Params {
  heads: u32,
  headDim: u32,
  pixels: u32,
  // Groups of four pixels, the last one perhaps not full.
  quads: u32,
  queryTiles: u32,
  channelTiles: u32,
  tiles: u32,
  // 1 / sqrt(headDim) and 1 / headDim
  scale: f32,
  invDim: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> qkv: array<Quad>;
@group(0) @binding(2) var<storage, read_write> y: array<Quad>;

// Partial sums of 8 slices of channels (or keys) by 8 quads of pixels.
var<workgroup> partialA: array<vec4f, 64>;
var<workgroup> partialB: array<vec4f, 64>;
// Weights of 32 keys by 8 quads of queries, times 1 / norm of v.
var<workgroup> weights: array<vec4f, 256>;

fn invNorm(sumOfSquares: vec4f) -> vec4f {
  return 1.0 / (1e-4 + sqrt(sumOfSquares * p.invDim));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let tile = wid.y * nwg.x + wid.x;
  if (tile >= p.tiles) {
    return;
  }
  let queryQuad = (tile % p.queryTiles) * 8u;
  let firstChannel = ((tile / p.queryTiles) % p.channelTiles) * (8u * CHANNELS);
  let head = tile / (p.queryTiles * p.channelTiles);
  // Rows of pixels in qkv: q, k, v of channel c of this head are row + 3 c + 0, 1, 2.
  let row = head * p.headDim * 3u;
  let lane = lid % 8u;
  let slice = lid / 8u;
  let lastQuad = p.quads - 1u;
  let q = min(queryQuad + lane, lastQuad);

  var squares = vec4f();
  for (var c = slice; c < p.headDim; c += 8u) {
    let v = load4(row + 3u * c, q);
    squares += v * v;
  }
  partialA[lid] = squares;
  workgroupBarrier();
  squares = vec4f();
  for (var s = 0u; s < 8u; s++) {
    squares += partialA[8u * s + lane];
  }
  let queryScale = p.scale * invNorm(squares);
  workgroupBarrier();

  var acc: array<vec4f, CHANNELS>;
  var total = vec4f();
  for (var keyQuad = 0u; keyQuad < p.quads; keyQuad += 8u) {
    // 1. Sums of squares of this tile's k and v, a slice of the channels each.
    let keysOfLane = min(keyQuad + lane, lastQuad);
    var kk = vec4f();
    var vv = vec4f();
    for (var c = slice; c < p.headDim; c += 8u) {
      let key = load4(row + 3u * c + 1u, keysOfLane);
      let value = load4(row + 3u * c + 2u, keysOfLane);
      kk += key * key;
      vv += value * value;
    }
    partialA[lid] = kk;
    partialB[lid] = vv;

    // 2. q . k of 4 queries (the components) by 4 keys.
    let mine = min(keyQuad + slice, lastQuad);
    var s0 = vec4f();
    var s1 = vec4f();
    var s2 = vec4f();
    var s3 = vec4f();
    var channelRow = row;
    for (var c = 0u; c < p.headDim; c++) {
      let query = load4(channelRow, q);
      let key = load4(channelRow + 1u, mine);
      s0 += key.x * query;
      s1 += key.y * query;
      s2 += key.z * query;
      s3 += key.w * query;
      channelRow += 3u;
    }
    workgroupBarrier();

    // 3. Unnormalised weights; keys past the last pixel weigh nothing.
    kk = vec4f();
    vv = vec4f();
    for (var s = 0u; s < 8u; s++) {
      kk += partialA[8u * s + slice];
      vv += partialB[8u * s + slice];
    }
    let keyScale = invNorm(kk);
    let valueScale = invNorm(vv);
    let key = 4u * (keyQuad + slice);
    let w0 = select(vec4f(), exp(s0 * queryScale * keyScale.x), key < p.pixels);
    let w1 = select(vec4f(), exp(s1 * queryScale * keyScale.y), key + 1u < p.pixels);
    let w2 = select(vec4f(), exp(s2 * queryScale * keyScale.z), key + 2u < p.pixels);
    let w3 = select(vec4f(), exp(s3 * queryScale * keyScale.w), key + 3u < p.pixels);
    total += (w0 + w1) + (w2 + w3);
    let at = 32u * slice + lane;
    weights[at] = w0 * valueScale.x;
    weights[at + 8u] = w1 * valueScale.y;
    weights[at + 16u] = w2 * valueScale.z;
    weights[at + 24u] = w3 * valueScale.w;
    workgroupBarrier();

    // 4. Weighted sum of v: 4 queries by CHANNELS channels.
    let count = min(8u, p.quads - keyQuad);
    for (var k = 0u; k < count; k++) {
      let a0 = weights[32u * k + lane];
      let a1 = weights[32u * k + lane + 8u];
      let a2 = weights[32u * k + lane + 16u];
      let a3 = weights[32u * k + lane + 24u];
      for (var i = 0u; i < CHANNELS; i++) {
        let c = min(firstChannel + slice + 8u * i, p.headDim - 1u);
        let value = load4(row + 3u * c + 2u, keyQuad + k);
        acc[i] += value.x * a0 + value.y * a1 + value.z * a2 + value.w * a3;
      }
    }
  }

  // Sums of weights: every slice has those of its own keys. partialB was last read before the last barrier.
  partialB[lid] = total;
  workgroupBarrier();
  total = vec4f();
  for (var s = 0u; s < 8u; s++) {
    total += partialB[8u * s + lane];
  }
  if (queryQuad + lane < p.quads) {
    for (var i = 0u; i < CHANNELS; i++) {
      let c = firstChannel + slice + 8u * i;
      if (c < p.headDim) {
        store4(head * p.headDim + c, queryQuad + lane, acc[i] / total);
      }
    }
  }
}
