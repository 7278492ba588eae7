/** TensorFlow.js with its WebGPU backend: one operation after the other, maps as NHWC (NCHW gives wrong results there). */
import { settle } from "../../../dist/src/gpu/wait.js";
import { actAsBrowser, adapterName } from "./browser.mjs";
import { tfjsOps } from "./tfjs-ops.mjs";
import { tfjsTrain } from "./tfjs-train.mjs";

async function loadTfjs() {
  await actAsBrowser();
  globalThis.self = globalThis;
  for (const name of ["HTMLVideoElement", "HTMLImageElement", "HTMLCanvasElement", "ImageData", "OffscreenCanvas"]) {
    globalThis[name] ??= class {};
  }
  // tfjs-core alone knows no derivatives.
  const tf = await import("@tensorflow/tfjs");
  await import("@tensorflow/tfjs-backend-webgpu");
  if (!(await tf.setBackend("webgpu"))) throw new Error("its WebGPU backend does not start");
  await tf.ready();
  return tf;
}

export async function open() {
  const tf = await loadTfjs();
  const backend = tf.backend();
  const finish = async () => {
    backend.endComputePassEncoder();
    backend.submitQueue();
    await settle(backend.device.queue.onSubmittedWorkDone());
  };
  return {
    adapter: adapterName(backend.device),

    async prepare(_row, { training, inputs, compute, result }) {
      if (training) return tfjsTrain(tf, training, { finish, settle });
      const ops = tfjsOps(tf);
      const isMap = result.layout === "map";
      const values = Object.entries(inputs).map(([name, { shape, data }]) => [
        name,
        isMap && shape.length === 3 ? ops.fromMap(data, shape) : tf.tensor(data, shape),
      ]);
      const given = Object.fromEntries(values);
      const evaluate = () => tf.tidy(() => compute(ops, given));
      let last;
      return {
        async run() {
          last?.dispose();
          last = evaluate();
          await finish();
        },
        async output() {
          const plain = isMap ? tf.transpose(last, [0, 3, 1, 2]) : last;
          return Float32Array.from(await settle(plain.data()));
        },
        release() {
          for (const tensor of [last, ...Object.values(given), ...ops.constants()]) tensor?.dispose();
        },
      };
    },
  };
}
