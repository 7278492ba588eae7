// The adapter's peaks, as `ncvsd-gpu bench` measures them too.
export { copyPeak, fmaPeak, type Peak } from "../src/measure/peaks.js";
