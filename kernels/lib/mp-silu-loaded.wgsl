// Magnitude-preserving SiLU (EDM2, eq. 81): x sigmoid(x) / 0.596, of a value just loaded. Lane-generic.
//
// Not that of kernels/lib/mp-silu.wgsl: its abs and its comparison, of a value just loaded, are moved in front of the
// conversion from f16 by some compilers, where a CPU is twice as slow. exp(88) is still finite.
fn mp_silu(v: F) -> F {
  return v / (F(0.596) * (F(1.0) + exp(min(-v, F(88.0)))));
}
