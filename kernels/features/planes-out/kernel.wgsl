// The end of a convolution computed by other kernels, f32: y = act(m + b), for some channels of m, into channels of images.
//
//   m: channel `row` of image n is rowStep row + imageStep n + offset on, its lines lineStep apart   b [rows]
//   y [N, ofChannels, height, width], of which the channels from firstChannel on and `count` pixels from `first` on, counted
//   through all images
//
// One invocation: a run of pixels of a channel. Prelude: RELU, RUN.
struct Params {
  threads: u32,
  rows: u32,
  first: u32,
  count: u32,
  height: u32,
  width: u32,
  rowStep: u32,
  imageStep: u32,
  lineStep: u32,
  // May be negative: as its two's complement.
  offset: u32,
  firstChannel: u32,
  ofChannels: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> m: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Not max(): that may turn a NaN into 0, and nobody would see it.
fn activate(v: f32) -> f32 {
  let kept = !RELU || (bitcast<u32>(v) & 0x7f800000u) == 0x7f800000u;
  return select(max(v, 0.0), v, kept);
}

fn each(t: u32) {
  let runs = (p.count + RUN - 1u) / RUN;
  let row = t / runs;
  let start = (t - row * runs) * RUN;
  let pixels = p.height * p.width;
  var image = (p.first + start) / pixels;
  let place = p.first + start - image * pixels;
  var line = place / p.width;
  var column = place - line * p.width;
  let bias = b[row];
  for (var i = 0u; i < MANY; i++) {
    if (i >= min(RUN, p.count - start)) {
      break;
    }
    let source = row * p.rowStep + image * p.imageStep + line * p.lineStep + column + p.offset;
    let channel = image * p.ofChannels + p.firstChannel + row;
    y[(channel * p.height + line) * p.width + column] = activate(m[source] + bias);
    column++;
    let ended = column == p.width;
    column = select(column, 0u, ended);
    line += select(0u, 1u, ended);
    let over = line == p.height;
    line = select(line, 0u, over);
    image += select(0u, 1u, over);
  }
}
