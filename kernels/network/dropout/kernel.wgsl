// Dropout (Srivastava et al. 2014): y = x m / (1 - p), with m = 0 for a share p of the values and 1 for the others.
// x, y [N, E]. The mask is drawn here, in the backward pass again, and depends on the image's key, the draw, the layer and the
// element alone:
//
//   key = (key of the image, 0), counter = (element / 4, draw, layer, 0): of the four words of Philox 4x32-10, word j decides
//   about element 4b + j, which stays where it is at least p 2^32.
//
// One invocation: four elements. Needs kernels/lib/math.wgsl and kernels/lib/philox.wgsl.
struct Params {
  threads: u32,
  elements: u32,
  draw: u32,
  layer: u32,
  threshold: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<S>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<S>;

fn each(i: u32) {
  let quads = (p.elements + 3u) / 4u;
  let n = i / quads;
  let quad = i % quads;
  let counter = vec4u(quad, p.draw, p.layer, 0u);
  let key = vec2u(keys[n], 0u);
  let words = philox4x32(counter, key);
  let first = 4u * quad;
  let count = min(4u, p.elements - first);
  for (var j = 0u; j < MANY; j++) {
    if (j >= count) {
      break;
    }
    let at = n * p.elements + first + j;
    // Times 0 and not 0: what is not finite is seen.
    y[at] = S(f32(x[at]) * select(0.0, p.factor, words[j] >= p.threshold));
  }
}
