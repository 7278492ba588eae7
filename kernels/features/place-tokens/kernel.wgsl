// The tokens of a vision transformer (Dosovitskiy et al. 2021), f32: patches plus their positions from token `first` on;
// before them what `table` holds (class token and its position, registers), behind them padding, of `table` too:
//
//   y[n, c, t] = table[c, t] + x[n, c, t - first], where that is a patch
//
//   x [N, C, P]   table [C, T]   y [N, C, T]
struct Params {
  threads: u32,
  channels: u32,
  patches: u32,
  first: u32,
  tokens: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let t = i % p.tokens;
  let row = i / p.tokens;
  let source = min(max(t, p.first) - p.first, p.patches - 1u);
  let there = t >= p.first && t < p.first + p.patches;
  y[i] = table[row % p.channels * p.tokens + t] + select(0.0, x[row * p.patches + source], there);
}
