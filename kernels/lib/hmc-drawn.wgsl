// What the kernels read that draw for a transition of Hamiltonian Monte Carlo: positions, log densities phi and their gradients o of
// rows = runs * particles, the box of the unobserved coordinates, states of the runs, and recorded bits or seeds.
struct Params {
  threads: u32, // rows
  particles: u32,
  dims: u32,
  free: u32,
  scale: f32,
  moves: u32,
  transition: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> phi: array<f32>;
@group(0) @binding(3) var<storage, read> o: array<f32>;
@group(0) @binding(4) var<storage, read> box: array<u32>;
@group(0) @binding(5) var<storage, read> state: array<f32>;
@group(0) @binding(6) var<storage, read> draws: array<u32>;
