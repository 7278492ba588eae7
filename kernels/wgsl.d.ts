/** WGSL source text: `kernel.wgsl` is turned into `kernel.wgsl.js` by the build, and by a plugin under vitest. */
declare module "*.wgsl.js" {
  const source: string;
  export default source;
}
