// Convolution of any kernel size, stride and zero padding as an implicit matrix product, f32 throughout:
//
//   y = act(conv(x, w) + b), batch normalisation folded into w and b
//
//   x [N, Cin, H, W]   w [ceil(Cout/8)][kh][kw][Cin][8], zero padded   b [Cout]
//   y [N, Cout, Ho, Wo], or the Cout channels from firstChannel on of y [N, ofChannels, Ho, Wo]
//
// The matrix of patches (a column per output pixel of any image) exists nowhere: for each tap of the window the pixels' places
// are found once, and the channels are then summed as in a matrix product, in the same order whatever an element's place in a tile. The loops are in plain.wgsl and tiled.wgsl, one of them in front of
// this text: for software adapters, and for GPUs.
// Prelude: RELU, PADDED, PRECISE: as if in twice the precision (Ogita, Rump & Oishi 2005, Dot2), for layers whose rounding others
// amplify.
struct Params {
  // Output pixels of all images.
  total: u32,
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
  // 1: a factor that no compiler knows, or it would take what rounding took for 0.
  one: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// The first 12 bits of values, whose products with each other are exact.
fn heads(v: vec4f) -> vec4f {
  return bitcast<vec4f>(bitcast<vec4u>(v) & vec4u(0xfffff000u));
}

// A sum, what rounding took of it, and what it took of the products.
struct Exact {
  sum: vec4f,
  lost: vec4f,
  more: vec4f,
}

fn exact_add(s: ptr<function, Exact>, weight: f32, head: f32, v: vec4f, vHead: vec4f) {
  let product = weight * v;
  let rest = v - vHead;
  let tail = weight - head;
  (*s).more += ((head * vHead - product) + (head * rest + tail * vHead)) + tail * rest;
  let next = product - (*s).lost;
  let sum = (*s).sum + next;
  (*s).lost = (sum * p.one - (*s).sum) - next;
  (*s).sum = sum;
}

fn exact_value(s: Exact) -> vec4f {
  return s.sum + (s.more - s.lost);
}

// Not max(): that may turn a NaN into 0, and nobody would see it.
fn activate(v: f32) -> f32 {
  let kept = !RELU || (bitcast<u32>(v) & 0x7f800000u) == 0x7f800000u;
  return select(max(v, 0.0), v, kept);
}

// Stores one pixel of one channel.
fn put(image: u32, place: u32, channel: u32, v: f32) {
  let plane = p.outHeight * p.outWidth;
  y[(image * p.ofChannels + p.firstChannel + channel) * plane + place] = activate(v + b[channel]);
}
