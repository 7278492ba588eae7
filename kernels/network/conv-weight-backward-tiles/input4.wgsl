// B^T d B of F(4x4, 3x3): patches of 6x6. Points 0, +-a, +-b, infinity with a = 5/8, b = 3/2.
const TILE: i32 = 4;
const BEFORE: i32 = 1;
const ROWS: i32 = 6;

// B^T of one row; kernels/lib/winograd-input4.wgsl has `weights`, row i of B^T.
fn line(r: Pixels) -> Line {
  return input_line(r[0], r[1], r[2], r[3], r[4], r[5]);
}
