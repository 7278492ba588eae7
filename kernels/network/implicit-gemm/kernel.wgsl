// 3x3 convolution, stride 1, zero padding, as one matrix product whose columns are never written out (implicit GEMM; Chetlur et
// al. 2014, "cuDNN: efficient primitives for deep learning", section 3.1): rows are output channels, columns the pixels of all
// images, k runs over the 9 Cin values of a window. Weights as in the direct sum (EDM2, Karras et al. 2024, eq. 66, with the
// weight normalisation, gain and 1/sqrt(fan-in) folded in at load).
//
//   x [N, Cin, H, W]   w [ceil(Cout/8)][Cin * 9][8], zero padded   y [N, Cout, H, W]
//
// A quad of columns is four neighbours of one row of the image. A turn of the loop (kernels/lib/tiled-product.ts, made by tiled.ts,
// in front of this text) takes one row of the window of four channels: k in the order (four channels, row of the window, channel,
// column of the window). The epilogue of kernels/lib/conv-epilogue.ts is applied before the store.
struct Params {
  inChannels: u32,
  // Of w; of c, r and y they are those from firstChannel on, of ofChannels.
  outChannels: u32,
  firstChannel: u32,
  ofChannels: u32,
  height: u32,
  width: u32,
  // Quads of a row of an image, and of all images.
  rowQuads: u32,
  quads: u32,
  scaleOffset: u32,
  scaleStride: u32,
  residual: f32,
  clip: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> w: array<W4>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> r: array<V>;
@group(0) @binding(5) var<storage, read_write> y: array<V>;

// The image, row and column of a quad's first pixel.
struct At {
  image: u32,
  row: u32,
  col: u32,
}

fn place(column: u32) -> At {
  let line = column / p.rowQuads;
  return At(line / p.height, line % p.height, column % p.rowQuads * 4u);
}

// Six neighbours of a row of the window, zero outside the image.
struct Row {
  before: f32,
  quad: vec4f,
  behind: f32,
}

// Row `row - 1` of the image (0: above it), at a quad.
fn window_row(at: At, channel: u32, row: u32) -> Row {
  let visible = row > 0u && row <= p.height;
  let base = ((at.image * p.inChannels + channel) * p.height + clamp(row, 1u, p.height) - 1u) * p.width;
  return Row(
    pixel(base, select(p.width, at.col - 1u, at.col > 0u), visible),
    quad(base, at.col, visible),
    pixel(base, at.col + 4u, visible),
  );
}

fn store(column: u32, row: u32, v: vec4f) {
  if (column < p.quads && row < p.outChannels) {
    let at = place(column);
    let channel = p.firstChannel + row;
    put(((at.image * p.ofChannels + channel) * p.height + at.row) * p.width + at.col, at.col, v, at.image, channel);
  }
}
