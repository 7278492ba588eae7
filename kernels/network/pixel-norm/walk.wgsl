// For software adapters: one invocation owns an F of pixels and walks over the channels twice.
fn each(i: u32) {
  let first = first_channel(i);

  // Four sums instead of one: independent chains, and a shorter way for rounding errors to grow.
  var sum0 = F(0.0);
  var sum1 = F(0.0);
  var sum2 = F(0.0);
  var sum3 = F(0.0);
  var o = first;
  let quads = p.channels / 4u;
  for (var k = 0u; k < quads; k++) {
    let v0 = load(x[o]);
    let v1 = load(x[o + p.pixels]);
    let v2 = load(x[o + 2u * p.pixels]);
    let v3 = load(x[o + 3u * p.pixels]);
    sum0 += v0 * v0;
    sum1 += v1 * v1;
    sum2 += v2 * v2;
    sum3 += v3 * v3;
    o += 4u * p.pixels;
  }
  for (var c = 4u * quads; c < p.channels; c++) {
    let v = load(x[o]);
    sum0 += v * v;
    o += p.pixels;
  }
  let mean = ((sum0 + sum1) + (sum2 + sum3)) / F(f32(p.channels));
  let scale = F(1.0) / (F(1e-4) + sqrt(mean));

  o = first;
  for (var c = 0u; c < p.channels; c++) {
    let v = load(x[o]) * scale;
    y[o] = store(v);
    if (SILU) {
      s[o] = store(mp_silu(v));
    }
    o += p.pixels;
  }
}
