/**
 * onnxruntime-node looks for Vulkan drivers in the system. Where set-up of ncvsd-gpu has placed one in its cache folder because
 * the system has none, this makes that one visible, as src/gpu/native.ts does for ncvsd-gpu.
 */
import { DLOPEN_AND_KEEP, defaultAccess, driverFolder, readDriverMarker } from "../../../dist/src/gpu/native.js";

export function useCachedDriver() {
  if (process.platform !== "linux") return;
  const access = defaultAccess(driverFolder(), readDriverMarker());
  for (const file of access?.preload ?? []) {
    try {
      process.dlopen({ exports: {} }, file, DLOPEN_AND_KEEP);
    } catch {
      // It complains that the library is no addon of Node, and keeps it.
    }
  }
  Object.assign(process.env, access?.env);
}
