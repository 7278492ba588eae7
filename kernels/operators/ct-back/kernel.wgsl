// The adjoint of ct-project: projections x [planes, angles, detectors] spread back over pictures y [planes, height, width]:
//
//   y = gain * sum over angles and bins j of weight * max(0, 1 - |bin(pixel) - j|) * x[angle, j]
//
// with the same bin and weight (kernels/lib/ct.wgsl): at most two bins of an angle count. One invocation, one pixel.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> directions: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const ROWS: u32 = 4u;

fn each(i: u32) {
  let column = i % p.width;
  let bands = (p.height + ROWS - 1u) / ROWS;
  let row = (i / p.width) % bands * ROWS;
  let plane = i / (p.width * bands);
  let across = f32(column) - 0.5 * f32(p.width - 1u);
  let down = f32(row) - 0.5 * f32(p.height - 1u);
  let base = plane * p.angles * p.detectors;
  // The lower one of the two bins, kept inside: weights of bins farther away than one are 0. A lone bin has no second.
  let highest = f32(max(p.detectors, 2u) - 2u);
  let second = min(1u, p.detectors - 1u);
  let both = f32(second);
  var sums = array<f32, ROWS>();
  for (var angle = 0u; angle < MANY; angle++) {
    if (angle >= p.angles) {
      break;
    }
    let axis = directions[angle];
    let line = base + angle * p.detectors;
    let leading = across * axis.x - down * axis.y + p.whole;
    let rest = across * axis.z - down * axis.w + p.part;
    for (var r = 0u; r < ROWS; r++) {
      var weight = 1.0;
      var lower = 0.0;
      var off = 0.0;
      if (FAN) {
        lower = clamp(floor(seen(axis, across, down + f32(r), 0.0).off), 0.0, highest);
        let at = seen(axis, across, down + f32(r), lower);
        weight = at.weight;
        off = at.off;
      } else {
        let a = leading - f32(r) * axis.y;
        let b = rest - f32(r) * axis.w;
        lower = clamp(floor(a + b), 0.0, highest);
        off = (a - lower) + b;
      }
      let j = line + wholeOf(lower);
      let near = max(0.0, 1.0 - abs(off));
      let next = both * max(0.0, 1.0 - abs(off - 1.0));
      sums[r] += weight * (near * x[j] + next * x[j + second]);
    }
  }
  for (var r = 0u; r < ROWS; r++) {
    if (row + r < p.height) {
      y[(plane * p.height + row + r) * p.width + column] = p.gain * sums[r];
    }
  }
}
