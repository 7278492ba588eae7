// The matrix of patches of a convolution (im2col), f32: a row per channel and tap of the window, a column per output pixel of
// some images, so that y = w patches is the convolution. Pixels outside the image are zero.
//
//   x [N, C, H, W]   y [C][kh][kw][columns], columns some of the output pixels, counted through all images, rounded up to fours;
//   those past the last repeat it
//
// One invocation: a quad of columns of CHANNELS channels; places are found once per tap. Prelude: CHANNELS, PADDED.
struct Params {
  threads: u32,
  // Output pixels asked for.
  first: u32,
  count: u32,
  inChannels: u32,
  height: u32,
  width: u32,
  outHeight: u32,
  outWidth: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  stride: u32,
  padHeight: u32,
  padWidth: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

fn each(t: u32) {
  let quads = (p.count + 3u) / 4u;
  let part = t / quads;
  let quad = t - part * quads;
  let wanted = vec4u(4u * quad) + vec4u(0u, 1u, 2u, 3u);
  let q = pixelsOf(vec4u(p.first) + min(wanted, vec4u(p.count - 1u)));
  let plane = p.height * p.width;
  let taps = p.kernelHeight * p.kernelWidth;
  let first = part * CHANNELS;
  let end = min(first + CHANNELS, p.inChannels);
  for (var ky = 0u; ky < MANY; ky++) {
    if (ky >= p.kernelHeight) {
      break;
    }
    for (var kx = 0u; kx < MANY; kx++) {
      if (kx >= p.kernelWidth) {
        break;
      }
      let tap = tapOf(q, ky, kx);
      var at = tap.at + first * plane;
      var to = (first * taps + ky * p.kernelWidth + kx) * quads + quad;
      for (var c = first; c < MANY; c++) {
        if (c >= end) {
          break;
        }
        y[to] = load4(at, tap.inside);
        at += plane;
        to += taps * quads;
      }
    }
  }
}
