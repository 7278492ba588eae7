// Maximum or mean of a sliding window, per channel, f32: pixels outside the image do not take part (a mean divides by the
// number of those inside).
//
//   x [planes, H, W]   y [planes, Ho, Wo], or the channels from firstChannel on of y [N, ofChannels, Ho, Wo]
//
// A value that is not finite makes the result not finite: max() alone could drop a NaN. One invocation: a run of RUN pixels of
// a row; windows of three columns share those that they have in common. Prelude: MEAN, THREE, RUN.
struct Params {
  threads: u32,
  height: u32,
  width: u32,
  outHeight: u32,
  outWidth: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  stride: u32,
  padHeight: u32,
  padWidth: u32,
  // Planes of an image, and where they lie in the output.
  channels: u32,
  firstChannel: u32,
  ofChannels: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// Of the pixels of a column inside the window: their maximum or sum, and one that is not finite, or 0.
fn column(plane: u32, top: i32, col: i32) -> vec2f {
  let first = u32(max(top, 0));
  let end = u32(min(top + i32(p.kernelHeight), i32(p.height)));
  var value = select(-3.4028234663852886e38, 0.0, MEAN);
  var odd = 0.0;
  if (col >= 0 && col < i32(p.width)) {
    for (var row = first; row < MANY; row++) {
      if (row >= end) {
        break;
      }
      let v = x[(plane * p.height + row) * p.width + u32(col)];
      if ((bitcast<u32>(v) & 0x7f800000u) == 0x7f800000u) {
        odd = v;
      } else {
        value = select(max(value, v), value + v, MEAN);
      }
    }
  }
  return vec2f(value, odd);
}

fn together(a: vec2f, b: vec2f) -> vec2f {
  return vec2f(select(max(a.x, b.x), a.x + b.x, MEAN), select(a.y, b.y, bitcast<u32>(b.y) != 0u));
}

fn each(t: u32) {
  let runs = (p.outWidth + RUN - 1u) / RUN;
  let line = t / runs;
  let start = (t - line * runs) * RUN;
  let plane = line / p.outHeight;
  let outRow = line - plane * p.outHeight;
  let top = i32(outRow * p.stride) - i32(p.padHeight);
  let rows = min(top + i32(p.kernelHeight), i32(p.height)) - max(top, 0);
  let channel = (plane / p.channels) * p.ofChannels + p.firstChannel + plane % p.channels;
  let to = (channel * p.outHeight + outRow) * p.outWidth + start;
  var left = i32(start * p.stride) - i32(p.padWidth);
  var a = vec2f();
  var b = vec2f();
  var c = vec2f();
  if (THREE) {
    b = column(plane, top, left);
    c = b;
    if (p.stride == 1u) {
      c = column(plane, top, left + 1);
    }
  }
  for (var i = 0u; i < MANY; i++) {
    if (i >= min(RUN, p.outWidth - start)) {
      break;
    }
    var all = vec2f();
    if (THREE) {
      let next = column(plane, top, left + 2);
      if (p.stride == 1u) {
        a = b;
        b = c;
      } else {
        a = c;
        if (p.stride > 2u) {
          a = column(plane, top, left);
        }
        b = column(plane, top, left + 1);
      }
      c = next;
      all = together(together(a, b), c);
    } else {
      all = column(plane, top, left);
      for (var k = 1u; k < MANY; k++) {
        if (k >= p.kernelWidth) {
          break;
        }
        all = together(all, column(plane, top, left + i32(k)));
      }
    }
    if (MEAN) {
      let columns = min(left + i32(p.kernelWidth), i32(p.width)) - max(left, 0);
      all.x /= f32(rows * columns);
    }
    y[to + i] = select(all.x, all.y, bitcast<u32>(all.y) != 0u);
    left += i32(p.stride);
  }
}
