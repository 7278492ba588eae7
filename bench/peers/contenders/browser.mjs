/** What libraries that expect a browser look for, with the GPU that this project found. */
import { readableName } from "../../../dist/src/gpu/adapter-name.js";
import { loadNativeGpu } from "../../../dist/src/gpu/native.js";

export async function actAsBrowser() {
  const gpu = await loadNativeGpu();
  // The adapter that ncvsd-gpu takes, whatever power preference a library has.
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = () => requestAdapter();
  const navigator = { gpu, userAgent: "Node", hardwareConcurrency: 1 };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
}

/** Name of the adapter of a device, as ncvsd-gpu tells it. */
export function adapterName({ adapterInfo: info }) {
  return readableName(info?.device || info?.description || info?.vendor || "unknown adapter");
}
