// Sines and cosines of every coordinate, the input of DISCO's network (the positional embedding of Vaswani et al. 2017):
//   f[d e + j] = sin(w_j x_d),  f[d e + half + j] = cos(w_j x_d),  j < half = e div 2, and one 0 where e is odd
// x [rows, dims] f32; q [half] u32, the frequencies w_j in units of 2^-28; f [dims e][columns] f32: features stand apart, rows side
// by side, as kernels/network/gemm reads them. Columns past the last row repeat it. One invocation for each pair of sine and cosine;
// angles are integers (kernels/lib/math.wgsl), so that nothing is lost far from 0.
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  dims: u32,
  embed: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> q: array<u32>;
@group(0) @binding(3) var<storage, read_write> f: array<f32>;

fn each(i: u32) {
  let half = p.embed / 2u;
  let pair = i / p.columns;
  let column = i - pair * p.columns;
  let d = pair / half;
  let j = pair - d * half;
  let both = cosSinTurns(turns(i32(q[j]), x[min(column, p.rows - 1u) * p.dims + d]));
  let at = (d * p.embed + j) * p.columns + column;
  f[at] = both.y;
  f[at + half * p.columns] = both.x;
  if (j == 0u && p.embed % 2u == 1u) {
    f[((d + 1u) * p.embed - 1u) * p.columns + column] = 0.0;
  }
}
