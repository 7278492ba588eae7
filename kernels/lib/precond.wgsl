// The EDM preconditioning (Karras et al. 2022, eq. 7 and Table 1), for kernels with an invocation for each value of images:
//   D = c_skip x + c_out F,   q = sigma^2 + sigma_data^2,   c_skip = sigma_data^2 / q,   c_out = sigma sigma_data / sqrt(q)
// q is a sum of squares and both factors are quotients: nothing cancels, for sigma from 1e-4 to 1e3 and far beyond.
struct Params {
  threads: u32,
  size: u32, // values of an image
  sigmaData: f32,
}

fn c_skip(sigma: f32) -> f32 {
  return p.sigmaData * p.sigmaData / (sigma * sigma + p.sigmaData * p.sigmaData);
}

fn c_out(sigma: f32) -> f32 {
  return sigma * p.sigmaData / sqrt(sigma * sigma + p.sigmaData * p.sigmaData);
}
