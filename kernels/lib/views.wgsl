struct Params {
  threads: u32,
  channels: u32,
  height: u32,
  width: u32,
  views: u32,
  rows: u32,
  columns: u32,
  sourceRow: u32,
  sourceColumn: u32,
  viewRow: u32,
  viewColumn: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
