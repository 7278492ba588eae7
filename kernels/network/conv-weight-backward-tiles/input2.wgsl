// B^T d B of F(2x2, 3x3): patches of 4x4. Points 0, 1, -1, infinity.
const TILE: i32 = 2;
const BEFORE: i32 = 1;
const ROWS: i32 = 4;

// B^T of one row; kernels/lib/winograd-input2.wgsl has `weights`, row i of B^T.
fn line(r: Pixels) -> Line {
  return input_line(r[0], r[1], r[2], r[3]);
}
