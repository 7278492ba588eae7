// One update of a power-function average of parameters (Karras et al. 2024, section 3.1), in place:
//   average <- average + rest (w - average),   rest = 1 - beta = 1 - (1 - B / t)^(a + 1)
// w, average: f32 [elements], four at a time; rests: f32 [profiles], of which this average's is rests[profile]. It is rest
// that the host gives: 1 - beta in f32 would lose digits where beta is near 1. With rest 1 (the first update) the average is
// w and its old value is not looked at.
struct Params {
  threads: u32,
  profile: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<vec4f>;
@group(0) @binding(2) var<storage, read> rests: array<f32>;
@group(0) @binding(3) var<storage, read_write> average: array<vec4f>;

fn each(i: u32) {
  let rest = rests[p.profile];
  if (rest == 1.0) {
    average[i] = w[i];
  } else {
    average[i] += rest * (w[i] - average[i]);
  }
}
