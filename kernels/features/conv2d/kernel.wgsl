// Convolution of a classification network: y = act(conv(x, w) + b) with any kernel size, stride and zero padding, f32
// throughout (batch normalisation folds into w and b). A 1x1 convolution of 1x1 images is a linear layer.
//
//   x [N, Cin, H, W]   w [ceil(Cout/8)][Cin * kh * kw][8], zero padded   b [Cout]   y [N, Cout, Ho, Wo], or the Cout channels
//   from firstChannel on of y [N, ofChannels, Ho, Wo]
//
// One invocation: 8 output channels of 4 neighbours in a row. No workgroup memory, no barriers.
// Prelude: RELU, PRECISE.
//
// PRECISE: sums of four products are added up together with what rounding took of them (Kahan 1965), for networks whose layers
// amplify it.
struct Params {
  threads: u32,
  inChannels: u32,
  outChannels: u32,
  height: u32,
  width: u32,
  outHeight: u32,
  outWidth: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  stride: u32,
  padHeight: u32,
  padWidth: u32,
  firstChannel: u32,
  ofChannels: u32,
  // 1.
  one: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// A column outside the image counts as zero; the clamped index keeps the load inside the buffer.
fn at(row: u32, col: i32) -> f32 {
  let inside = col >= 0 && col < i32(p.width);
  return select(0.0, x[row + u32(clamp(col, 0, i32(p.width) - 1))], inside);
}

// Not max(): that may turn a NaN into 0, and nobody would see it.
fn activate(v: f32) -> f32 {
  let kept = !RELU || (bitcast<u32>(v) & 0x7f800000u) == 0x7f800000u;
  return select(max(v, 0.0), v, kept);
}

// Moves the sums so far to the totals.
fn add_sums(
  sums: ptr<function, array<vec4f, 8>>,
  total: ptr<function, array<vec4f, 8>>,
  lost: ptr<function, array<vec4f, 8>>,
) {
  for (var o = 0u; o < 8u; o++) {
    let more = (*sums)[o] - (*lost)[o];
    let next = (*total)[o] + more;
    // With a factor that no compiler knows, or it would take this for 0.
    (*lost)[o] = (next * p.one - (*total)[o]) - more;
    (*total)[o] = next;
    (*sums)[o] = vec4f();
  }
}

fn each(t: u32) {
  let quads = (p.outWidth + 3u) / 4u;
  let tiles = quads * p.outHeight;
  let groups = (p.outChannels + 7u) / 8u;
  let tile = t % tiles;
  let group = (t / tiles) % groups;
  let n = t / (tiles * groups);
  let row = tile / quads;
  let col = (tile % quads) * 4u;
  let top = i32(row * p.stride) - i32(p.padHeight);
  let left = i32(col * p.stride) - i32(p.padWidth);
  let s = i32(p.stride);

  var acc = array<vec4f, 8>();
  var total = array<vec4f, 8>();
  var lost = array<vec4f, 8>();
  var count = 0u;
  var wi = group * p.inChannels * p.kernelHeight * p.kernelWidth * 2u;
  for (var ci = 0u; ci < p.inChannels; ci++) {
    let plane = (n * p.inChannels + ci) * p.height * p.width;
    for (var ky = 0u; ky < p.kernelHeight; ky++) {
      let iy = top + i32(ky);
      if (iy < 0 || iy >= i32(p.height)) {
        wi += 2u * p.kernelWidth;
        continue;
      }
      let base = plane + u32(iy) * p.width;
      for (var kx = 0u; kx < p.kernelWidth; kx++) {
        let ix = left + i32(kx);
        let v = vec4f(at(base, ix), at(base, ix + s), at(base, ix + 2 * s), at(base, ix + 3 * s));
        add_rows(&acc, w[wi], w[wi + 1u], v);
        wi += 2u;
        count++;
        if (PRECISE && count % 4u == 0u) {
          add_sums(&acc, &total, &lost);
        }
      }
    }
  }
  if (PRECISE) {
    add_sums(&acc, &total, &lost);
    acc = total;
  }

  for (var o = 0u; o < 8u; o++) {
    let channel = group * 8u + o;
    if (channel >= p.outChannels) {
      break;
    }
    let base = ((n * p.ofChannels + p.firstChannel + channel) * p.outHeight + row) * p.outWidth;
    for (var i = 0u; i < 4u; i++) {
      if (col + i >= p.outWidth) {
        break;
      }
      y[base + col + i] = activate(acc[o][i] + b[channel]);
    }
  }
}
