// A uniform value in [0, 1), a multiple of 2^-24, of element i of draw number `draw` of the stream `seed`; `purpose` (not 0,
// which is that of normal values) tells draws apart. Needs kernels/lib/philox.wgsl.
fn uniformAt(seed: u32, draw: u32, purpose: u32, i: u32) -> f32 {
  let counter = vec4u(i / 4u, draw, purpose, 0u);
  let key = vec2u(seed, 0u);
  let words = philox4x32(counter, key);
  return f32(words[i % 4u] >> 8u) * 5.9604644775390625e-8;
}
