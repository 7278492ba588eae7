import { NcvsdError } from "../errors.js";

/** Stands in for native.ts where a bundler builds for browsers (package.json, `browser`). */
export function loadNativeGpu(): Promise<GPU> {
  const message =
    "This browser has no WebGPU: use a recent Chrome, Edge, Firefox or Safari, over https or on localhost.";
  return Promise.reject(new NcvsdError("NO_ADAPTER", message));
}

/** A browser keeps no choices of a tuner: `openGpu({ tuning })` takes them. */
export const cachedTuning = (): undefined => undefined;
