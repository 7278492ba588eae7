// One step of Hamiltonian dynamics with friction for exp(-E(x) / beta - |x - origin|^2 / (2 sigma^2)) (Zhang et al. 2024, DAPS, as
// its authors' code has it), in place on x and v; gradient = grad E(x), z standard normal:
//
//   v <- momentum v - sqrt(e) (gradient / beta + (x - origin) / sigma^2) + sqrt(2 (1 - momentum)) z,   x <- x + sqrt(e) v
//
// level = [sqrt(e), beta, sigma^2, sqrt(2 (1 - momentum)), momentum].
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> v: array<f32>;
@group(0) @binding(3) var<storage, read> origin: array<f32>;
@group(0) @binding(4) var<storage, read> gradient: array<f32>;
@group(0) @binding(5) var<storage, read> z: array<f32>;
@group(0) @binding(6) var<storage, read> level: array<f32>;

fn each(i: u32) {
  let slope = gradient[i] / level[1] + (x[i] - origin[i]) / level[2];
  let velocity = level[4] * v[i] - level[0] * slope + level[3] * z[i];
  v[i] = velocity;
  x[i] = x[i] + level[0] * velocity;
}
