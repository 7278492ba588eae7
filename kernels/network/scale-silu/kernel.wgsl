// Modulation of a block by its embedding (Karras et al. 2024, figure 21): y = mp_silu(x c), c one scale per image and channel.
// At inference this is the convolution's epilogue; training needs x itself.
// x, y: [planes, pixels], c: [planes], planes = batch x channels. Prelude: V, F, load, store (kernels/lib/lanes.ts).
struct Params {
  threads: u32,
  pixels: u32, // in units of F
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<V>;

fn each(i: u32) {
  y[i] = store(mp_silu(load(x[i]) * c[i / p.pixels]));
}
