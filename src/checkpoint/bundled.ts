/**
 * Address of the bundled NCVSD network: a file of the package in Node; bundlers that know `new URL(…, import.meta.url)` copy it
 * beside the page's own files.
 */
export function bundledNetwork(): URL {
  const source = import.meta.url.endsWith(".ts");
  // Seen from dist/src/checkpoint, or from src/checkpoint where the tests run the source.
  const path = "../../weights/ncvsd-fashion32.safetensors";
  return source
    ? new URL(path, import.meta.url)
    : new URL("../../../weights/ncvsd-fashion32.safetensors", import.meta.url);
}
