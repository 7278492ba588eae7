// Standard normal noise z [N, E], counter-based: the value of (seed, draw, element) depends on nothing else.
//
//   key = (seed of the image, 0), counter = (element / 4, draw, 0, 0): Philox 4x32-10 gives four words; words 0 and 1
//   make elements 4b and 4b + 1, words 2 and 3 make 4b + 2 and 4b + 3 (Box-Muller: radius and angle, cos and sin).
//
// One invocation: four elements. Needs kernels/lib/math.wgsl and kernels/lib/philox.wgsl.
struct Params {
  threads: u32,
  elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> seeds: array<u32>;
@group(0) @binding(2) var<storage, read> draw: array<u32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

fn each(i: u32) {
  let quads = (p.elements + 3u) / 4u;
  let n = i / quads;
  let quad = i % quads;
  let values = normal4(seeds[n], draw[0], quad);
  let first = 4u * quad;
  let count = min(4u, p.elements - first);
  for (var j = 0u; j < MANY; j++) {
    if (j >= count) {
      break;
    }
    z[n * p.elements + first + j] = values[j];
  }
}
