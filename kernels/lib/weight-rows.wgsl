// Rows [fan_in] of an MPConv's weight, a workgroup for each. In front of this text: V, a value or a quad of neighbours.
struct Params {
  workgroups: u32, // rows
  fan_in: u32,
  units: u32, // V of a row
  scale: f32,
}
