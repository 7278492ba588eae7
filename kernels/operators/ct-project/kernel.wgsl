// Projections of pictures x [planes, height, width] on the bins of a detector, y [planes, angles, detectors]: bin j at an angle is
//
//   gain * sum over pixels of weight * max(0, 1 - |bin(pixel) - j|) * x,        bin and weight: kernels/lib/ct.wgsl
//
// One invocation, BINS bins side by side, which share what they load: it walks the picture along their rays' major axis, line by
// line. On a line the bin is monotonic, so the pixels that count lie between where the rays one bin before and after cross it: at
// most TAPS of them (WHOLE: all may).
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

const BINS: u32 = 4u;
const PLACES = vec4f(0.0, 1.0, 2.0, 3.0);

fn each(i: u32) {
  let groups = (p.detectors + BINS - 1u) / BINS;
  let lane = i / groups;
  let bin = f32(i % groups * BINS);
  let axis = directions[lane % p.angles];
  let direction = axis.xy + axis.zw;
  let plane = (lane / p.angles) * p.height * p.width;
  let sides = sidesOf(direction, placeOf(bin + 0.5 * f32(BINS - 1u)));
  let rows = abs(sides.across) >= abs(sides.along);

  let lines = select(p.width, p.height, rows);
  let length = select(p.height, p.width, rows);
  let lineStep = select(1u, p.width, rows);
  let step = select(p.width, 1u, rows);
  let lineCentre = 0.5 * f32(lines - 1u);
  let centre = 0.5 * f32(length - 1u);
  let before = rayOf(direction, bin - 1.0, rows);
  let after = rayOf(direction, bin + f32(BINS), rows);
  var first = 0u;
  var last = lines;
  if (!WHOLE) {
    // Lines on which the middle of the two is near the picture.
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
  // `seen` along a line, for parallel rays: leading bits, whose sums are exact, and the rest.
  let onLine = select(axis.xz, -axis.yw, rows);
  let alongLine = select(-axis.yw, axis.xz, rows);
  let perStep = alongLine.x + alongLine.y;
  let from0 = -centre * alongLine - vec2f(bin - p.whole, -p.part);
  // The rays before and after are parallel, or each is followed.
  let edge0 = min(before.origin, after.origin) + (centre + 1.0);
  // Where the taps of a line begin at most: weights of pixels off the rays are 0 anyway.
  let taps = select(TAPS, length, WHOLE);
  let highest = f32(length - taps);
  var base = plane + first * lineStep;
  var away = f32(first) - lineCentre;
  var sums = vec4f();
  for (var line = first; line < MANY; line++) {
    if (line >= last) {
      break;
    }
    var start = 0.0;
    if (!WHOLE) {
      var edge = edge0 + away * before.slope;
      if (FAN) {
        edge = min(before.origin + away * before.slope, after.origin + away * after.slope) + (centre + 1.0);
      }
      start = clamp(floor(edge), 0.0, highest);
    }
    var at = base + wholeOf(start) * step;
    if (FAN) {
      for (var tap = 0u; tap < MANY; tap++) {
        if (tap >= taps) {
          break;
        }
        let along = start + f32(tap) - centre;
        let pixel = seen(axis, select(away, along, rows), select(along, away, rows), bin);
        sums += max(vec4f(), 1.0 - abs(pixel.off - PLACES)) * (pixel.weight * x[at]);
        at += step;
      }
    } else {
      let both = away * onLine + (start * alongLine + from0);
      let off = both.x + both.y;
      for (var tap = 0u; tap < MANY; tap++) {
        if (tap >= taps) {
          break;
        }
        sums += max(vec4f(), 1.0 - abs(off + f32(tap) * perStep - PLACES)) * x[at];
        at += step;
      }
    }
    base += lineStep;
    away += 1.0;
  }
  for (var k = 0u; k < BINS; k++) {
    let own = i % groups * BINS + k;
    if (own < p.detectors) {
      y[lane * p.detectors + own] = p.gain * sums[k];
    }
  }
}
