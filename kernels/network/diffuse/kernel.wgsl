// What a network is trained on: y = x + sigma z, one noise level per image (EDM2, eq. 13). x, z, y: [batch, elements],
// sigma: [batch].
struct Params {
  threads: u32,
  elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  y[i] = x[i] + sigma[i / p.elements] * z[i];
}
