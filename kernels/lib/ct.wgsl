// Where a pixel is seen on the detector, and with which weight: lengths in pixels, `x` to the right and `down` from the centre of
// rotation. An axis holds the leading bits of the detector's direction (times bins per pixel where rays are parallel) and
// the rest: products of the former are exact, so that what is left over of a bin is, too.
struct Params {
  threads: u32,
  height: u32,
  width: u32,
  angles: u32,
  detectors: u32,
  whole: f32, // the bin of the centre, and its fraction
  part: f32,
  scale: f32,
  magnified: f32, // bins per unit of the ray's tangent
  gain: f32,
  source: f32,
  reach: f32,
}

@group(0) @binding(0) var<uniform> p: Params;

struct Seen {
  off: f32, // the pixel's bin less `bin`
  weight: f32,
}

fn seen(axis: vec4f, x: f32, down: f32, bin: f32) -> Seen {
  let leading = x * axis.x - down * axis.y;
  let rest = x * axis.z - down * axis.w;
  if (!FAN) {
    return Seen((leading - (bin - p.whole)) + (rest + p.part), 1.0);
  }
  let inverse = 1.0 / (p.source - x * (axis.y + axis.w) - down * (axis.x + axis.z));
  let tangent = (leading + rest) * inverse;
  let off = (tangent * p.magnified - (bin - p.whole)) + p.part;
  return Seen(off, p.reach * inverse * sqrt(1.0 + tangent * tangent));
}

// A whole number from 0 to 2^23 as an integer: added to 2^23 it stands in the last bits. u32() is far slower on CPUs.
fn wholeOf(v: f32) -> u32 {
  return bitcast<u32>(v + 8388608.0) - 0x4b000000u;
}
