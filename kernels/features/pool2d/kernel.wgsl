// Maximum or mean of a sliding window, per channel, f32: pixels outside the image do not take part (a mean divides by the
// number of those inside).
//
//   x [planes, H, W]   y [planes, Ho, Wo], or the channels from firstChannel on of y [N, ofChannels, Ho, Wo]
//
// A value that is not finite makes the result not finite: max() alone could drop a NaN.
// Prelude: MEAN.
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

fn each(i: u32) {
  let outPixels = p.outHeight * p.outWidth;
  let plane = i / outPixels;
  let pixel = i % outPixels;
  let top = i32((pixel / p.outWidth) * p.stride) - i32(p.padHeight);
  let left = i32((pixel % p.outWidth) * p.stride) - i32(p.padWidth);
  let firstRow = u32(max(top, 0));
  let firstCol = u32(max(left, 0));
  let endRow = u32(min(top + i32(p.kernelHeight), i32(p.height)));
  let endCol = u32(min(left + i32(p.kernelWidth), i32(p.width)));

  var result = select(-3.4028234663852886e38, 0.0, MEAN);
  var odd = 0.0;
  var isOdd = false;
  for (var row = firstRow; row < endRow; row++) {
    for (var col = firstCol; col < endCol; col++) {
      let v = x[(plane * p.height + row) * p.width + col];
      if ((bitcast<u32>(v) & 0x7f800000u) == 0x7f800000u) {
        odd = v;
        isOdd = true;
      } else if (MEAN) {
        result += v;
      } else {
        result = max(result, v);
      }
    }
  }
  if (MEAN) {
    result /= f32((endRow - firstRow) * (endCol - firstCol));
  }
  let channel = (plane / p.channels) * p.ofChannels + p.firstChannel + plane % p.channels;
  y[channel * outPixels + pixel] = select(result, odd, isOdd);
}
