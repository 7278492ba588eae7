// The end of a Hessian-vector product: with the derivatives by the features of phi (`first`) and of <r, grad phi> (g),
//   (H r)_d = sum over j of w_j (g_sin cos(w_j x_d) - g_cos sin(w_j x_d)) - w_j^2 r_d (first_sin sin(w_j x_d) + first_cos cos(w_j x_d))
// g, first, f [dims e][columns] f32, f what kernels/energy/sinusoid wrote; r, hv [rows, dims]; q [half] u32 in units of 2^-28. One
// invocation for each coordinate of a row.
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  dims: u32,
  embed: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> first: array<f32>;
@group(0) @binding(3) var<storage, read> f: array<f32>;
@group(0) @binding(4) var<storage, read> r: array<f32>;
@group(0) @binding(5) var<storage, read> q: array<u32>;
@group(0) @binding(6) var<storage, read_write> hv: array<f32>;

fn each(i: u32) {
  let half = p.embed / 2u;
  let d = i / p.rows;
  let row = i - d * p.rows;
  let along = r[row * p.dims + d];
  var sine = d * p.embed * p.columns + row;
  var cosine = sine + half * p.columns;
  var sum = 0.0;
  for (var j = 0u; j < MANY; j++) {
    if (j >= half) {
      break;
    }
    let w = f32(q[j]) * 3.725290298461914e-9;
    let bend = first[sine] * f[sine] + first[cosine] * f[cosine];
    sum += w * (g[sine] * f[cosine] - g[cosine] * f[sine]) - w * w * along * bend;
    sine += p.columns;
    cosine += p.columns;
  }
  hv[row * p.dims + d] = sum;
}
