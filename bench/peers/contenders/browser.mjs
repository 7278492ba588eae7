/** What libraries that expect a browser look for, with the GPU that this project found. */
import { loadNativeGpu } from "../../../dist/src/gpu/native.js";

export async function actAsBrowser() {
  const gpu = await loadNativeGpu();
  // The adapter that ncvsd-gpu takes, whatever power preference a library has.
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = () => requestAdapter();
  const navigator = { gpu, userAgent: "Node", hardwareConcurrency: 1 };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
}

/** Name of the adapter of a device. */
export function adapterName({ adapterInfo: info }) {
  return info?.device || info?.description || info?.vendor || "unknown adapter";
}
