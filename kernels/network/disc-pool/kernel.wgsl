// What the discriminator's last layer sees (NCVSD, section 4.3): the mean over the pixels of mp_cat(a, b, 0.5),
//   y[n] = [ factor_a mean(a[n]), factor_b mean(b[n]) ].
// a: [batch, A, pixels], b: [batch, B, pixels] act, y: [batch, A + B] f32. One invocation for each channel of an image.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<S>;
@group(0) @binding(2) var<storage, read> b: array<S>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let channels = p.channelsA + p.channelsB;
  let n = i / channels;
  let c = i - n * channels;
  var even = 0.0;
  var odd = 0.0;
  if (c < p.channelsA) {
    let first = (n * p.channelsA + c) * p.pixels;
    for (var turn = 0u; turn < MANY; turn++) {
      let q = 2u * turn;
      if (q >= p.pixels) {
        break;
      }
      even += f32(a[first + q]);
      if (q + 1u < p.pixels) {
        odd += f32(a[first + q + 1u]);
      }
    }
    y[i] = (even + odd) * p.factor_a;
  } else {
    let first = (n * p.channelsB + c - p.channelsA) * p.pixels;
    for (var turn = 0u; turn < MANY; turn++) {
      let q = 2u * turn;
      if (q >= p.pixels) {
        break;
      }
      even += f32(b[first + q]);
      if (q + 1u < p.pixels) {
        odd += f32(b[first + q + 1u]);
      }
    }
    y[i] = (even + odd) * p.factor_b;
  }
}
