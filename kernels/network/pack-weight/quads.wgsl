// One invocation packs four neighbours: four rows of one k, or four k of one row.
alias W = f32;

fn entry(row: u32, k: u32) -> f32 {
  let rows = select(p.out_channels, p.in_channels, TRANSPOSED);
  let entries = select(p.in_channels, p.out_channels, TRANSPOSED) * p.taps;
  if (row >= rows || k >= entries) {
    return 0.0;
  }
  if (TRANSPOSED) {
    let channel = k / p.taps;
    return scaled(channel, w[(channel * p.in_channels + row) * p.taps + (p.taps - 1u - (k - channel * p.taps))]);
  }
  return scaled(row, w[row * entries + k]);
}

fn scaled(channel: u32, value: f32) -> f32 {
  if (SCALED) {
    return value * scale[channel];
  }
  return value;
}

fn each(i: u32) {
  if (GROUPS) {
    let line = i / 2u;
    let group = line / p.depth;
    let k = line - group * p.depth;
    let row = 8u * group + 4u * (i % 2u);
    y[i] = packed(vec4f(entry(row, k), entry(row + 1u, k), entry(row + 2u, k), entry(row + 3u, k)));
  } else {
    let quads = p.depth / 4u;
    let row = i / quads;
    let k = 4u * (i - row * quads);
    y[i] = packed(vec4f(entry(row, k), entry(row, k + 1u), entry(row, k + 2u), entry(row, k + 3u)));
  }
}
