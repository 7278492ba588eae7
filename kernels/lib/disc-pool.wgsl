// The mean over the pixels of mp_cat(a, b, 0.5): two groups of channels with a factor each.
struct Params {
  threads: u32,
  channelsA: u32,
  channelsB: u32,
  pixels: u32,
  factor_a: f32, // divided by the number of pixels
  factor_b: f32,
}
