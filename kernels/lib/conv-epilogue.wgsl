// Epilogues of the convolutions, lane-generic (kernels/lib/lanes.ts); needs clip.wgsl and mp-silu.wgsl. EPILOGUE comes
// from the prelude: 0 none, 1 scale_silu, 2 sum_clip.

fn scaled(acc: F, c: f32) -> F {
  return mp_silu(acc * c);
}

fn summed(acc: F, r: F, residual: f32, bound: f32) -> F {
  return clip_finite(residual * r + acc, bound);
}
