// Derivative of kernels/energy/sinusoid along a direction r of every row: fd = w_j r_d cos(w_j x_d) for a sine, -w_j r_d sin(w_j x_d)
// for a cosine, 0 past the last row and where the forward kernel has its 0.
// r [rows, dims] f32; f, fd [dims e][columns] f32, f what the forward kernel wrote; q [half] u32 in units of 2^-28. One invocation for
// each pair of sine and cosine.
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  dims: u32,
  embed: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> r: array<f32>;
@group(0) @binding(2) var<storage, read> f: array<f32>;
@group(0) @binding(3) var<storage, read> q: array<u32>;
@group(0) @binding(4) var<storage, read_write> fd: array<f32>;

fn each(i: u32) {
  let half = p.embed / 2u;
  let pair = i / p.columns;
  let column = i - pair * p.columns;
  let d = pair / half;
  let j = pair - d * half;
  let along = select(0.0, r[min(column, p.rows - 1u) * p.dims + d], column < p.rows);
  let step = f32(q[j]) * 3.725290298461914e-9 * along;
  let sine = (d * p.embed + j) * p.columns + column;
  let cosine = sine + half * p.columns;
  fd[sine] = step * f[cosine];
  fd[cosine] = -step * f[sine];
  if (j == 0u && p.embed % 2u == 1u) {
    fd[((d + 1u) * p.embed - 1u) * p.columns + column] = 0.0;
  }
}
