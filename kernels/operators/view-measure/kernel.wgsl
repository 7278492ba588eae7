// Detectors see no phase: of complex waves a = factor x (interleaved) the amplitude |a|, or with INTENSITY |a|^2. RESIDUAL gives what
// the gradient of the squared difference to `measured` begins with, interleaved:
//
//   (|a| - measured) a / |a|, 0 where a is 0;       with INTENSITY 2 (|a|^2 - measured) a
struct Params {
  threads: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> measured: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let a = p.factor * x[i];
  // Divided by the larger part first: the squares of small values would vanish.
  let larger = max(abs(a.x), abs(a.y));
  let direction = a / max(larger, 1e-37);
  let amplitude = larger * length(direction);
  if (!RESIDUAL) {
    y[i] = select(amplitude, dot(a, a), INTENSITY);
    return;
  }
  var result = 2.0 * (dot(a, a) - measured[i]) * a;
  if (!INTENSITY) {
    result = a - measured[i] * (direction / max(length(direction), 1e-37));
    result = select(result, vec2f(), larger == 0.0);
  }
  y[2u * i] = result.x;
  y[2u * i + 1u] = result.y;
}
