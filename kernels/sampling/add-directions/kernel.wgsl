// A guided estimate: y = d + factor[0] sum_k weight[image, k] direction[k], in the order of k.
// d, y: [images, size]; direction: [vectors, pitch], each vector as d; weight: [images, vectors]. WEIGHTED: otherwise all weights
// are 1 and there is no buffer of them.
struct Params {
  threads: u32,
  size: u32,
  vectors: u32,
  pitch: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> d: array<f32>;
@group(0) @binding(2) var<storage, read> direction: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> factor: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  var sum = 0.0;
  for (var k = 0u; k < MANY; k++) {
    if (k >= p.vectors) {
      break;
    }
    let value = direction[k * p.pitch + i];
    if (WEIGHTED) {
      sum += weight[i / p.size * p.vectors + k] * value;
    } else {
      sum += value;
    }
  }
  y[i] = d[i] + factor[0] * sum;
}
