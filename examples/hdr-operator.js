/**
 * An operator of your own: high dynamic range. The camera doubles the contrast and clips,
 *
 *     A(x) = clip(2 x, -1, 1),      gradient of ||A(x) - y||^2:  4 (2 x - y) where |2 x| < 1, else 0
 *
 * Restore with it:
 *
 *     ncvsd-gpu restore --operator examples/hdr-operator.js --data photos/ --outdir restored
 *
 * or, in a program,
 *
 *     import hdr from "./examples/hdr-operator.js";
 *     const operator = hdr(gpu, { shape: model.shape });
 *     await solveInverse(model, { operator, measurement, beta: 5e-3, ula: { c1: 0.01, c2: 0.1 } });
 *
 * Langevin steps are stable while c1 / c2 times the largest curvature of ||A(x) - y||^2 is below 2; the curvature is 8 here,
 * so c1 = 0.01 with c2 = 0.1 is safe and the default c1 = 0.1 is not.
 *
 * A function (gpu, { shape }) that gives an `Operator`: `shape`, `measurementShape`, `forward`, and one of
 * `sampleProximal`, `energyGradient` and `adjoint`. Everything below `open` may be left out: the operator then works on
 * arrays alone, and every Langevin step reads the state back.
 *
 * @param {import("ncvsd-gpu").Gpu} gpu
 * @param {{ shape: readonly [channels: number, height: number, width: number] }} options
 * @returns {import("ncvsd-gpu").Operator}
 */
export default function hdr(gpu, { shape }) {
  const elements = shape[0] * shape[1] * shape[2];
  return {
    name: "hdr",
    shape,
    measurementShape: shape,

    // On arrays: N images in a row.
    async forward(x) {
      return x.map((v) => Math.min(1, Math.max(-1, 2 * v)));
    },
    async energyGradient({ x, y }) {
      return x.map((v, i) => (Math.abs(2 * v) < 1 ? 4 * (2 * v - y[i]) : 0));
    },

    // On the GPU: the same gradient in WGSL, so that a likelihood step of 100 iterations never leaves it.
    async open(batch) {
      const { device } = gpu;
      const total = batch * elements;
      const [x, y, out] = ["x", "y", "gradient"].map((name) => gpu.storage(`hdr ${name}`, 4 * total));
      return {
        gpu,
        batch,
        x,
        y,
        async openGradient() {
          const module = device.createShaderModule({ code: GRADIENT });
          const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
          const bindGroup = device.createBindGroup({
            layout: pipeline.getBindGroupLayout(0),
            entries: [x, y, out].map((b, binding) => ({ binding, resource: { buffer: b } })),
          });
          const groups = Math.ceil(total / 64);
          const columns = Math.min(groups, 65535);
          return {
            out,
            encode(pass) {
              pass.setPipeline(pipeline);
              pass.setBindGroup(0, bindGroup);
              pass.dispatchWorkgroups(columns, Math.ceil(groups / columns));
            },
          };
        },
        release() {
          for (const b of [x, y, out]) gpu.destroyBuffer(b);
        },
      };
    },
  };
}

const GRADIENT = /* wgsl */ `
  @group(0) @binding(0) var<storage, read> x: array<f32>;
  @group(0) @binding(1) var<storage, read> y: array<f32>;
  @group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

  @compute @workgroup_size(64)
  fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.y * groups.x * 64u + id.x;
    if (i < arrayLength(&gradient)) {
      let v = 2.0 * x[i];
      gradient[i] = select(0.0, 4.0 * (v - y[i]), abs(v) < 1.0);
    }
  }
`;
