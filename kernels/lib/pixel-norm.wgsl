// Images [batch, channels, pixels], an invocation for every pixel, or four of them: `pixels` counts in units of F
// (kernels/lib/lanes.ts).
struct Params {
  threads: u32,
  channels: u32,
  pixels: u32,
}

// Pixel i of all images in its first channel.
fn first_channel(i: u32) -> u32 {
  let n = i / p.pixels;
  return n * p.channels * p.pixels + (i - n * p.pixels);
}
