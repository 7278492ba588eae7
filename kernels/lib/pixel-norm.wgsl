// Images x [batch, channels, pixels], an invocation for every pixel, or four of them: `pixels` counts in units of F
// (kernels/lib/lanes.ts).
struct Params {
  threads: u32,
  channels: u32,
  pixels: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;

// Pixel i of all images in its first channel.
fn first_channel(i: u32) -> u32 {
  let n = i / p.pixels;
  return n * p.channels * p.pixels + (i - n * p.pixels);
}
