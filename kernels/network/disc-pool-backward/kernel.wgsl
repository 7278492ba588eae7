// Gradient of the discriminator's pooling: each pixel of channel c gets g[n, c] factor / pixels, with the factors of mp_cat(a, b, 0.5).
// g: [batch, A + B] f32, da: [batch, A, pixels], db: [batch, B, pixels] act. One invocation for each value of da and db.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> da: array<S>;
@group(0) @binding(3) var<storage, read_write> db: array<S>;

fn each(i: u32) {
  let channels = p.channelsA + p.channelsB;
  let plane = i / p.pixels;
  let n = plane / channels;
  let c = plane - n * channels;
  let value = g[plane];
  if (c < p.channelsA) {
    da[i - n * p.channelsB * p.pixels] = S(value * p.factor_a);
  } else {
    db[i - (n + 1u) * p.channelsA * p.pixels] = S(value * p.factor_b);
  }
}
