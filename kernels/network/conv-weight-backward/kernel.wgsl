// Weight gradient of a convolution with zero padding, stride 1:
//   dw[o,c,i,j] = sum over n, h, w of g[n,o,h,w] x[n,c,h+i-pad,w+j-pad],  pad = (KERNEL - 1) / 2
// x: [N, C, H, W], g: [N, O, H, W] (act), dw: [O, C, KERNEL, KERNEL] f32. One invocation for each entry; rows are summed first,
// then the rows' sums, so that rounding errors grow with the sum of the sides rather than their product. Prelude: KERNEL.
struct Params {
  threads: u32,
  batch: u32,
  inChannels: u32,
  outChannels: u32,
  height: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<S>;
@group(0) @binding(2) var<storage, read> g: array<S>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

fn each(at: u32) {
  let filter_index = at / (KERNEL * KERNEL);
  let tap = at - filter_index * KERNEL * KERNEL;
  let o = filter_index / p.inChannels;
  let c = filter_index - o * p.inChannels;
  let pad = (KERNEL - 1u) / 2u;
  let i = tap / KERNEL;
  let j = tap - i * KERNEL;
  let top = max(pad, i) - i;
  let bottom = min(p.height, p.height + pad - i);
  let left = max(pad, j) - j;
  let right = min(p.width, p.width + pad - j);
  var sum = 0.0;
  for (var n = 0u; n < MANY; n++) {
    if (n >= p.batch) {
      break;
    }
    var image = 0.0;
    for (var h = top; h < MANY; h++) {
      if (h >= bottom) {
        break;
      }
      let out_line = ((n * p.outChannels + o) * p.height + h) * p.width;
      let in_line = ((n * p.inChannels + c) * p.height + h + i - pad) * p.width + j - pad;
      var line = 0.0;
      for (var v = left; v < MANY; v++) {
        if (v >= right) {
          break;
        }
        line += f32(g[out_line + v]) * f32(x[in_line + v]);
      }
      image += line;
    }
    sum += image;
  }
  dw[at] = sum;
}
