/**
 * onnxruntime-node with its WebGPU execution provider. Its tensors stay on the GPU as outputs of one session that are the
 * inputs of the next; it has no call that waits for the GPU, so a session of four numbers, read back, waits behind the work.
 */

import { identityModel, modelShape, taskModel } from "../onnx/model.mjs";
import { useCachedDriver } from "./onnx-node-driver.mjs";

const PROVIDERS = { executionProviders: ["webgpu"] };
const ON_GPU = { ...PROVIDERS, preferredOutputLocation: "gpu-buffer" };

export async function open() {
  useCachedDriver();
  const { default: ort } = await import("onnxruntime-node");
  const tensor = (data, shape) => new ort.Tensor("float32", data, shape);
  const only = (outputs) => Object.values(outputs)[0];
  const identity = (shape, options) => ort.InferenceSession.create(identityModel(shape), options);
  const waiter = await identity([4], PROVIDERS);
  const four = tensor(new Float32Array(4), [4]);
  return {
    /** It does not tell. */
    adapter: null,

    async prepare(_row, task) {
      const session = await ort.InferenceSession.create(taskModel(task), ON_GPU);
      const given = {};
      const sessions = [session];
      for (const [name, { shape, data }] of Object.entries(task.inputs)) {
        const full = modelShape(shape, task.result);
        const upload = await identity(full, ON_GPU);
        sessions.push(upload);
        given[name] = only(await upload.run({ x: tensor(data, full) }));
      }
      let last;
      return {
        async run() {
          last?.dispose();
          last = only(await session.run(given));
          await waiter.run({ x: four });
        },
        async output() {
          const download = await identity(last.dims, PROVIDERS);
          sessions.push(download);
          return Float32Array.from(only(await download.run({ x: last })).data);
        },
        async release() {
          for (const value of [last, ...Object.values(given)]) value?.dispose();
          for (const each of sessions) await each.release();
        },
      };
    },
  };
}
