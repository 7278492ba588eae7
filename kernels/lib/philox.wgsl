// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), and standard normal values from
// it by Box and Muller. Needs kernels/lib/math.wgsl in front; kernels/lib/philox.ts is the same in float64.

fn philox4x32(start: vec4u, startKey: vec2u) -> vec4u {
  var counter = start;
  var key = startKey;
  for (var i = 0u; i < 10u; i++) {
    let a = mulWide(0xd2511f53u, counter.x);
    let b = mulWide(0xcd9e8d57u, counter.z);
    counter = vec4u(b.y ^ counter.y ^ key.x, b.x, a.y ^ counter.w ^ key.y, a.x);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return counter;
}

// The 24 leading bits of a word: a float holds them exactly, whatever its rounding mode. Never 0, never 2^32.
fn leadingBits(word: u32) -> u32 {
  let v = word | 1u;
  let excess = max(8u, countLeadingZeros(v)) - countLeadingZeros(v);
  return (v >> excess) << excess;
}

// Two independent standard normal values from two words; 2^-32 <= u < 1, so |value| < 6.67.
fn boxMuller(radiusBits: u32, angle: u32) -> vec2f {
  let u = f32(leadingBits(radiusBits)) * 2.3283064365386963e-10;
  return sqrt(-2.0 * ln(u)) * cosSinTurns(angle);
}

// Elements 4 * quad .. 4 * quad + 3 of draw number `draw` of the stream `seed`.
fn normal4(seed: u32, draw: u32, quad: u32) -> vec4f {
  let counter = vec4u(quad, draw, 0u, 0u);
  let key = vec2u(seed, 0u);
  let words = philox4x32(counter, key);
  let first = boxMuller(words.x, words.y);
  let second = boxMuller(words.z, words.w);
  return vec4f(first, second);
}
