// Projections of pictures x [planes, height, width] on the bins of a detector, y [planes, angles, detectors]: bin j at an angle is
//
//   gain * sum over pixels of weight * max(0, 1 - |bin(pixel) - j|) * x,        bin and weight: kernels/lib/ct.wgsl
//
// One invocation, one bin: it walks the picture along the ray's major axis, line by line. On a line the bin is monotonic, so
// the pixels that count lie between where the rays of j - 1 and j + 1 cross it: at most TAPS of them (WHOLE: the line).
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> directions: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Of the ray of bin j: position along a line = origin + line * slope, both from the centre; ROWS: lines are rows.
struct Ray {
  origin: f32,
  slope: f32,
}

// Where a bin lies on the detector: in bins from the centre; in a fan in pixels.
fn placeOf(bin: f32) -> f32 {
  let away = (bin - p.whole) - p.part;
  return select(away, away / p.scale, FAN);
}

struct Sides {
  across: f32,
  along: f32,
}

// The ray is where x * sides.across = down * sides.along + offset
fn sidesOf(direction: vec2f, t: f32) -> Sides {
  if (FAN) {
    return Sides(p.reach * direction.x + t * direction.y, p.reach * direction.y - t * direction.x);
  }
  return Sides(direction.x, direction.y);
}

fn rayOf(direction: vec2f, bin: f32, rows: bool) -> Ray {
  let t = placeOf(bin);
  let sides = sidesOf(direction, t);
  let offset = select(t, t * p.source, FAN);
  if (rows) {
    return Ray(offset / sides.across, sides.along / sides.across);
  }
  return Ray(-offset / sides.along, sides.across / sides.along);
}

fn each(i: u32) {
  let bin = f32(i % p.detectors);
  let axis = directions[(i / p.detectors) % p.angles];
  let direction = axis.xy + axis.zw;
  let plane = (i / (p.detectors * p.angles)) * p.height * p.width;
  let sides = sidesOf(direction, placeOf(bin));
  let rows = abs(sides.across) >= abs(sides.along);

  let lines = select(p.width, p.height, rows);
  let length = select(p.height, p.width, rows);
  let lineStep = select(1u, p.width, rows);
  let step = select(p.width, 1u, rows);
  let lineCentre = 0.5 * f32(lines - 1u);
  let centre = 0.5 * f32(length - 1u);
  let before = rayOf(direction, bin - 1.0, rows);
  let after = rayOf(direction, bin + 1.0, rows);
  var first = 0u;
  var last = lines;
  if (!WHOLE) {
    // Lines on which the middle of the two is near the picture; the rays of a fan may cross outside, so by their own slopes.
    let origin = 0.5 * (before.origin + after.origin);
    let slope = 0.5 * (before.slope + after.slope);
    let spare = 2.0 + 0.5 * f32(TAPS);
    if (abs(slope) > 1e-4) {
      let a = (-centre - spare - origin) / slope;
      let b = (centre + spare - origin) / slope;
      first = u32(clamp(floor(min(a, b) + lineCentre), 0.0, f32(lines)));
      last = u32(clamp(ceil(max(a, b) + lineCentre) + 1.0, 0.0, f32(lines)));
    }
  }
  let perStep = select(-direction.y, direction.x, rows);
  // The rays of j - 1 and j + 1 are parallel, or each is followed.
  let low = Ray(min(before.origin, after.origin), before.slope);
  var sum = 0.0;
  for (var line = first; line < last; line++) {
    let away = f32(line) - lineCentre;
    var start = 0.0;
    if (!WHOLE) {
      var edge = low.origin + away * low.slope;
      if (FAN) {
        edge = min(before.origin + away * before.slope, after.origin + away * after.slope);
      }
      start = floor(edge + centre) + 1.0;
    }
    let base = plane + line * lineStep;
    let k = i32(start);
    let along = start - centre;
    var at = seen(axis, select(away, along, rows), select(along, away, rows), bin);
    for (var tap = 0u; tap < TAPS; tap++) {
      if (FAN && tap > 0u) {
        let next = along + f32(tap);
        at = seen(axis, select(away, next, rows), select(next, away, rows), bin);
      }
      let off = select(at.off + f32(tap) * perStep, at.off, FAN);
      let place = k + i32(tap);
      let inside = clamp(place, 0, i32(length) - 1);
      let part = at.weight * max(0.0, 1.0 - abs(off)) * x[base + u32(inside) * step];
      // Outside the picture a fan's weight may be anything.
      sum += select(0.0, part, place == inside);
    }
  }
  y[i] = p.gain * sum;
}
