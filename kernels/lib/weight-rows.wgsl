// Rows [fan_in] of an MPConv's weight, a workgroup for each.
struct Params {
  workgroups: u32, // rows
  fan_in: u32,
  scale: f32,
}
