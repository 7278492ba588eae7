// The unobserved coordinates of a particle sampler and their box, packed: box [3, free] holds their indices, then the bits of
// the lower, then those of the upper walls.

// Whether the unobserved coordinates of a row that begins at `start` of x lie in the box; one that is not finite does not (the
// test looks at bits, since compilers may drop comparisons with NaN).
fn insideBox(start: u32, free: u32) -> bool {
  var inside = true;
  for (var j = 0u; j < MANY; j++) {
    if (j >= free) {
      break;
    }
    let v = x[start + box[j]];
    let finite = (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
    inside = inside && finite && v >= bitcast<f32>(box[free + j]) && v <= bitcast<f32>(box[2u * free + j]);
  }
  return inside;
}
