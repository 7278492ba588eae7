// First of three parts of the gradient of EDM2's cosine attention: what the other two need of every pixel,
//
//   norms = (r of q, r of k, r of v, e),  r(x) = sqrt(mean over the head's channels of x^2),  e = sum over them of g y.
//
//   qkv [N, heads * d * 3, P], channel (head * d + c) * 3 + (q, k, v);   y, g [N, heads * d, P]
//   norms [N * heads, 4, quads] of vec4f: rows of whole quads, padded with the last pixel's value
//
// e(query) = sum over keys of A dA, the mean that the derivative of softmax takes off; g is the gradient of y.
// One invocation per quad of pixels. `loadQkv`, `loadY`, `loadG`: kernels/lib/attention-rows.ts.
struct Params {
  threads: u32, // quads of all heads of all images
  headDim: u32,
  pixels: u32,
  // Quads of a row of pixels, the last one perhaps not full.
  quads: u32,
  invDim: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> qkv: array<V>;
@group(0) @binding(2) var<storage, read> y: array<V>;
@group(0) @binding(3) var<storage, read> g: array<V>;
@group(0) @binding(4) var<storage, read_write> norms: array<vec4f>;

fn each(i: u32) {
  let headDim = p.headDim;
  let head = i / p.quads;
  let quad = i % p.quads;
  let width = rowLength(p.pixels);
  let last = width - 1u;
  var qq = vec4f();
  var kk = vec4f();
  var vv = vec4f();
  var gy = vec4f();
  // Sums of at most 32 products, added up: a long sum would lose the last bits of a wide head.
  for (var turn = 0u; turn < MANY; turn++) {
    let c0 = 32u * turn;
    if (c0 >= headDim) {
      break;
    }
    var qPart = vec4f();
    var kPart = vec4f();
    var vPart = vec4f();
    var gPart = vec4f();
    for (var c = c0; c < MANY; c++) {
      if (c >= min(c0 + 32u, headDim)) {
        break;
      }
      let row = (head * headDim + c) * width;
      let q = loadQkv(3u * row, quad, last);
      let k = loadQkv(3u * row + width, quad, last);
      let v = loadQkv(3u * row + 2u * width, quad, last);
      qPart += q * q;
      kPart += k * k;
      vPart += v * v;
      gPart += loadG(row, quad, last) * loadY(row, quad, last);
    }
    qq += qPart;
    kk += kPart;
    vv += vPart;
    gy += gPart;
  }
  let at = 4u * head * p.quads + quad;
  norms[at] = sqrt(qq * p.invDim);
  norms[at + p.quads] = sqrt(kk * p.invDim);
  norms[at + 2u * p.quads] = sqrt(vv * p.invDim);
  norms[at + 3u * p.quads] = gy;
}
