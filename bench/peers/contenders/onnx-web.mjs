/** onnxruntime-web under Node, one thread: `webgpu` is its build with the WebGPU provider, `all` the older one (JSEP). */
import { readFileSync } from "node:fs";
import { settle } from "../../../dist/src/gpu/wait.js";
import { modelShape, taskModel } from "../onnx/model.mjs";
import { actAsBrowser, adapterName } from "./browser.mjs";

const BINARIES = { webgpu: "ort-wasm-simd-threaded.asyncify", all: "ort-wasm-simd-threaded.jsep" };
const OPTIONS = { executionProviders: ["webgpu"], preferredOutputLocation: "gpu-buffer" };

/** Dawn's `writeBuffer` refuses views of the shared memory that a threaded build keeps its heap in: hand it copies. */
function copySharedViews() {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, at, data, ...range) {
    const view = ArrayBuffer.isView(data) ? data : new Uint8Array(data);
    if (!(view.buffer instanceof SharedArrayBuffer)) return writeBuffer.call(this, buffer, at, data, ...range);
    const [start = 0, count = view.length - start] = range;
    return writeBuffer.call(this, buffer, at, view.slice(start, start + count));
  };
}

async function loadRuntime(build) {
  await actAsBrowser();
  copySharedViews();
  const ort = await import(`onnxruntime-web/${build}`);
  const file = (extension) => new URL(`${BINARIES[build]}.${extension}`, import.meta.resolve("onnxruntime-web/webgpu"));
  const { wasm } = ort.env;
  wasm.numThreads = 1;
  wasm.wasmBinary = readFileSync(file("wasm"));
  wasm.wasmPaths = { mjs: file("mjs").href, wasm: file("wasm").href };
  return ort;
}

/** @param {"webgpu" | "all"} build */
export async function openBuild(build) {
  const ort = await loadRuntime(build);
  const only = (outputs) => Object.values(outputs)[0];
  return {
    /** Known once a session exists. */
    adapter: null,

    async prepare(_row, task) {
      const session = await settle(ort.InferenceSession.create(taskModel(task), OPTIONS));
      const device = await ort.env.webgpu.device;
      this.adapter = adapterName(device);
      const buffers = [];
      const given = {};
      for (const [name, { shape, data }] of Object.entries(task.inputs)) {
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
        const buffer = device.createBuffer({ size: Math.max(16, data.byteLength), usage });
        device.queue.writeBuffer(buffer, 0, data);
        buffers.push(buffer);
        const dims = modelShape(shape, task.result);
        given[name] = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims });
      }
      let last;
      return {
        async run() {
          last?.dispose();
          last = only(await settle(session.run(given)));
          await settle(device.queue.onSubmittedWorkDone());
        },
        output: async () => Float32Array.from(await settle(last.getData())),
        async release() {
          last?.dispose();
          await session.release();
          for (const buffer of buffers) buffer.destroy();
        },
      };
    },
  };
}
