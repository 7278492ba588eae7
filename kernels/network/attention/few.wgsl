// For GPUs: a workgroup has QUADS quads of queries of one head and all of its keys, TILE at a time, SLICES invocations for each quad
// of queries: few queries, so that a small image has many workgroups, and all keys inside, so that nothing is added up
// afterwards. An invocation has the logits of 4 queries by KEYS keys in registers, then up to CHANNELS channels of the weighted
// sum; heads of more channels are split, at the price of the logits being computed again. Channels are taken CHUNK at a time,
// whose loads overlap; EVEN: the head has a multiple of it. In front of this text: load-scalar.wgsl or load-vec4.wgsl,
// pairs.wgsl or octets.wgsl, norm1.wgsl or norm4.wgsl.
const SLICES: u32 = 64u / QUADS;
const TILE: u32 = SLICES * KEYS;
// Channels summed before they are added up: the last bits of a wide head's logits would be lost in one long sum.
const BLOCK: u32 = 32u;

alias Sums = array<vec4f, KEYS>;

// Sums over parts of the channels (or of the keys), by quads of queries.
var<workgroup> partial: array<vec4f, 64>;
// 1 / norm of the tile's k and v.
var<workgroup> invK: array<f32, TILE>;
var<workgroup> invV: array<f32, TILE>;
// Weights of the tile's keys by QUADS quads of queries, times 1 / norm of v.
var<workgroup> weights: array<vec4f, TILE * QUADS>;

// Adds up what the invocations of a quad of queries have, always in the same order.
fn overSlices(lid: u32, own: vec4f) -> vec4f {
  partial[lid] = own;
  workgroupBarrier();
  var sum = vec4f();
  for (var eighth = 0u; eighth < MANY; eighth++) {
    // Of the host, so that it stays a loop: unrolled, it costs software adapters seconds of compilation.
    if (8u * eighth >= min(SLICES, 64u * p.quads)) {
      break;
    }
    for (var s = 0u; s < 8u; s++) {
      sum += partial[QUADS * (8u * eighth + s) + lid % QUADS];
    }
  }
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let place = wid.y * nwg.x + wid.x;
  // Read once: a compiler may load a uniform anew in every turn of a loop.
  let headDim = p.headDim;
  let channelTiles = (headDim + SLICES * CHANNELS - 1u) / (SLICES * CHANNELS);
  let queryTiles = (p.quads + QUADS - 1u) / QUADS;
  if (place >= p.heads * queryTiles * channelTiles) {
    return;
  }
  let pixels = p.pixels;
  let width = rowLength();
  let firstChannel = ((place / queryTiles) % channelTiles) * (SLICES * CHANNELS);
  let head = place / (queryTiles * channelTiles);
  // q, k, v of channel c of this head begin at start + 3 width c + 0, width, 2 width.
  let start = head * headDim * 3u * width;
  let step = 3u * width;
  let lane = lid % QUADS;
  let slice = lid / QUADS;
  let queryQuad = (place % queryTiles) * QUADS + lane;

  var squares = vec4f();
  for (var turn = 0u; turn < MANY; turn++) {
    let c0 = slice + 2u * SLICES * turn;
    if (c0 >= headDim) {
      break;
    }
    for (var i = 0u; i < 2u; i++) {
      let c = c0 + SLICES * i;
      let query = load4(start + step * min(c, headDim - 1u), queryQuad, pixels);
      squares += select(vec4f(), query * query, c < headDim);
    }
  }
  let queryScale = p.scale / (1e-4 + sqrt(overSlices(lid, squares) * p.invDim));

  var acc: array<vec4f, CHANNELS>;
  var total = vec4f();
  for (var turn = 0u; turn < MANY; turn++) {
    let first = TILE * turn;
    if (first >= pixels) {
      break;
    }
    // 1. Norms of the tile's keys and values, each once.
    var kk = Norms();
    var vv = Norms();
    for (var piece = 0u; piece < MANY; piece++) {
      if (BLOCK * piece >= headDim) {
        break;
      }
      var k = Norms();
      var v = Norms();
      for (var chunk = 0u; chunk < MANY; chunk++) {
        let c = BLOCK * piece + CHUNK * chunk;
        if (CHUNK * chunk >= BLOCK || c >= headDim) {
          break;
        }
        for (var i = 0u; i < CHUNK; i++) {
          let real = EVEN || c + i < headDim;
          let row = start + step * select(headDim - 1u, c + i, real);
          let key = select(Norms(), loadNorms(row + width, first, lid, pixels), real);
          let value = select(Norms(), loadNorms(row + 2u * width, first, lid, pixels), real);
          k += key * key;
          v += value * value;
        }
      }
      kk += k;
      vv += v;
    }
    putNorms(lid, 1.0 / (1e-4 + sqrt(kk * p.invDim)), 1.0 / (1e-4 + sqrt(vv * p.invDim)));

    // 2. q . k of 4 queries (the components) by KEYS keys.
    let own = KEYS * slice;
    var sums = Sums();
    for (var piece = 0u; piece < MANY; piece++) {
      if (BLOCK * piece >= headDim) {
        break;
      }
      var part = Sums();
      for (var chunk = 0u; chunk < MANY; chunk++) {
        let c = BLOCK * piece + CHUNK * chunk;
        if (CHUNK * chunk >= BLOCK || c >= headDim) {
          break;
        }
        for (var i = 0u; i < CHUNK; i++) {
          let real = EVEN || c + i < headDim;
          let row = start + step * select(headDim - 1u, c + i, real);
          let query = select(vec4f(), load4(row, queryQuad, pixels), real);
          let keys = loadKeys(row + width, first + own, pixels);
          for (var j = 0u; j < KEYS; j++) {
            part[j] += keys[j] * query;
          }
        }
      }
      for (var j = 0u; j < KEYS; j++) {
        sums[j] += part[j];
      }
    }
    workgroupBarrier();

    // 3. Weights, not yet divided by their sum; keys past the last pixel weigh nothing.
    for (var i = 0u; i < KEYS; i++) {
      let weight = select(vec4f(), exp(sums[i] * queryScale * invK[own + i]), first + own + i < pixels);
      total += weight;
      weights[(own + i) * QUADS + lane] = weight * invV[own + i];
    }
    workgroupBarrier();

    // 4. Weighted sums of v, 8 keys at a time.
    for (var k = 0u; k < MANY; k++) {
      if (8u * k >= TILE || first + 8u * k >= pixels) {
        break;
      }
      let at = 8u * k * QUADS + lane;
      let quad = (first + 8u * k) / 4u;
      let w0 = weights[at];
      let w1 = weights[at + QUADS];
      let w2 = weights[at + 2u * QUADS];
      let w3 = weights[at + 3u * QUADS];
      let w4 = weights[at + 4u * QUADS];
      let w5 = weights[at + 5u * QUADS];
      let w6 = weights[at + 6u * QUADS];
      let w7 = weights[at + 7u * QUADS];
      for (var i = 0u; i < CHANNELS; i++) {
        let row = start + step * min(firstChannel + slice + SLICES * i, headDim - 1u) + 2u * width;
        let low = load4(row, quad, pixels);
        let high = load4(row, quad + 1u, pixels);
        acc[i] += low.x * w0 + low.y * w1 + low.z * w2 + low.w * w3;
        acc[i] += high.x * w4 + high.y * w5 + high.z * w6 + high.w * w7;
      }
    }
  }

  // Every slice has the sums of weights of its own keys.
  let whole = overSlices(lid, total);
  if (queryQuad < p.quads) {
    for (var i = 0u; i < CHANNELS; i++) {
      let c = firstChannel + slice + SLICES * i;
      if (c < headDim) {
        store4((head * headDim + c) * width, queryQuad, acc[i] / whole, pixels);
      }
    }
  }
}
