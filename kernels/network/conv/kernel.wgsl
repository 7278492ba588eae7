// Magnitude-preserving convolution, 3x3 or 1x1, stride 1, zero padding (EDM2, Karras et al. 2024, eq. 66 with the weight
// normalisation, gain and 1/sqrt(fan-in) folded into w at load).
//
//   x [N, Cin, H, W]   w [ceil(Cout/8)][Cin * k * k][8], zero padded   y [N, Cout, H, W]
//
// Epilogues: none; y = mp_silu(acc * c[n, channel]) after conv_res0; y = clip(residual * r + acc) after conv_res1,
// attn_proj (the mp_sum factor of acc is folded into w).
// One invocation: 8 output channels of 4 neighbours in a row. No workgroup memory, no barriers.
struct Params {
  threads: u32,
  inChannels: u32,
  // Of w; of c, r and y they are those from firstChannel on, of ofChannels.
  outChannels: u32,
  firstChannel: u32,
  ofChannels: u32,
  height: u32,
  width: u32,
  scaleOffset: u32,
  scaleStride: u32,
  residual: f32,
  clip: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<S>;
@group(0) @binding(2) var<storage, read> w: array<W4>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> r: array<S>;
@group(0) @binding(5) var<storage, read_write> y: array<S>;

// A column or row outside the image counts as zero; the clamped index keeps the load inside the buffer.
fn at(base: u32, row: i32, col: i32) -> f32 {
  let inside = row >= 0 && row < i32(p.height) && col >= 0 && col < i32(p.width);
  let index = base + u32(clamp(row, 0, i32(p.height) - 1)) * p.width + u32(clamp(col, 0, i32(p.width) - 1));
  return select(0.0, f32(x[index]), inside);
}

fn each(t: u32) {
  let quads = (p.width + 3u) / 4u;
  let tiles = quads * p.height;
  let groups = (p.outChannels + 7u) / 8u;
  let tile = t % tiles;
  let group = (t / tiles) % groups;
  let n = t / (tiles * groups);
  let row = i32(tile / quads);
  let col = i32(tile % quads) * 4;

  var acc: array<vec4f, 8>;
  let pixels = p.height * p.width;
  var wi = group * p.inChannels * (KERNEL * KERNEL * 2u);
  for (var ci = 0u; ci < MANY; ci++) {
    if (ci >= p.inChannels) {
      break;
    }
    let base = (n * p.inChannels + ci) * pixels;
    for (var ky = 0u; ky < KERNEL; ky++) {
      let r0 = row + i32(ky) - i32(KERNEL / 2u);
      if (KERNEL == 1u) {
        let v = vec4f(at(base, r0, col), at(base, r0, col + 1), at(base, r0, col + 2), at(base, r0, col + 3));
        add_rows(&acc, weight4(w[wi]), weight4(w[wi + 1u]), v);
        wi += 2u;
      } else {
        let a = vec4f(at(base, r0, col - 1), at(base, r0, col), at(base, r0, col + 1), at(base, r0, col + 2));
        let b = vec2f(at(base, r0, col + 3), at(base, r0, col + 4));
        for (var kx = 0u; kx < 3u; kx++) {
          let v = select(select(vec4f(a.zw, b.xy), vec4f(a.yzw, b.x), kx == 1u), a, kx == 0u);
          add_rows(&acc, weight4(w[wi]), weight4(w[wi + 1u]), v);
          wi += 2u;
        }
      }
    }
  }

  for (var o = 0u; o < 8u; o++) {
    let channel = group * 8u + o;
    if (channel >= p.outChannels) {
      break;
    }
    for (var i = 0u; i < 4u; i++) {
      if (u32(col) + i >= p.width) {
        break;
      }
      let index = (n * p.ofChannels + p.firstChannel + channel) * pixels + u32(row) * p.width + u32(col) + i;
      var v = acc[o][i];
      if (EPILOGUE == 1u) {
        v = scaled(v, c[n * p.scaleStride + p.scaleOffset + p.firstChannel + channel]);
      } else if (EPILOGUE == 2u) {
        v = summed(v, f32(r[index]), p.residual, p.clip);
      }
      y[index] = S(v);
    }
  }
}
