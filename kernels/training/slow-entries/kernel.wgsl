// Gives single entries of a bank a learning rate of their own: after Adam's step it takes 1 - share of it back,
//   w[i] <- w[i] + (1 - share) rate m[i] / (sqrt(v[i]) root + eps)   for i in indices,
// with the moments and settings of that step (kernels/training/adam). w, m, v: f32 [elements]; settings: f32 [7];
// indices: u32 [count], each below elements and none twice.
struct Params {
  threads: u32,
  back: f32, // 1 - share
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read> m: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<f32>;

fn each(k: u32) {
  let i = indices[k];
  w[i] += p.back * (settings[0] * m[i] / (sqrt(v[i]) * settings[1] + settings[6]));
}
