// Layer normalisation over the channels of every token (Ba, Kiros & Hinton 2016), f32:
//
//   y = (x - mean) / sqrt(variance + eps) * gamma + beta
//
//   x [N, C, P]   gamma, beta [C]   y [N, C, P]
//
// One invocation a token. Three passes: the variance is that of the values less their mean, which loses no digits.
struct Params {
  threads: u32,
  channels: u32,
  tokens: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let first = (i / p.tokens) * p.channels * p.tokens + i % p.tokens;
  var sum = 0.0;
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    sum += x[first + c * p.tokens];
  }
  let mean = sum / f32(p.channels);
  var squares = 0.0;
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    let v = x[first + c * p.tokens] - mean;
    squares += v * v;
  }
  let scale = inverseSqrt(squares / f32(p.channels) + p.eps);
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    y[first + c * p.tokens] = (x[first + c * p.tokens] - mean) * scale * gamma[c] + beta[c];
  }
}
