// Rows [fan_in] of an MPConv's weight, a workgroup for each, and its gain [1].
struct Params {
  workgroups: u32, // rows
  fan_in: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> gain: array<f32>;
