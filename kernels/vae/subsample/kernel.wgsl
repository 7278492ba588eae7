// Every second pixel of every second row, beginning with the second: y[n,c,i,j] = x[n,c,2i+1,2j+1]. After a 3x3 convolution
// of stride 1 this is the convolution of stride 2 with zeros on the right and below only (Stability's VAE encoder).
//
//   x [planes, H, W];   y [planes, H / 2, W / 2]
struct Params {
  threads: u32,
  outHeight: u32,
  outWidth: u32,
  height: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<S>;
@group(0) @binding(2) var<storage, read_write> y: array<S>;

fn each(i: u32) {
  let column = i % p.outWidth;
  let row = (i / p.outWidth) % p.outHeight;
  let plane = i / (p.outWidth * p.outHeight);
  y[i] = x[(plane * p.height + 2u * row + 1u) * p.width + 2u * column + 1u];
}
