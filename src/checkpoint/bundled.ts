import { isNode } from "./byte-source.js";
import { bad } from "./fail.js";

/**
 * Address of the bundled NCVSD network: a file of the package in Node; vite copies it beside the page's own files. webpack is told to
 * leave it: a page that does not use it should not carry two megabytes, nor its builder be warned of them.
 * @throws NcvsdError BAD_CHECKPOINT in a page that it did not come with
 */
export function bundledNetwork(): URL {
  // The build writes the way from dist/ into this line: bundlers understand nothing but a literal.
  const url = new URL(/* webpackIgnore: true */ "../../weights/ncvsd-fashion32.safetensors", import.meta.url);
  if (isNode || url.protocol !== "file:") return url;
  throw bad(
    "the bundled network did not come with this page: load it from " +
      'new URL("ncvsd-gpu/weights/ncvsd-fashion32.safetensors", import.meta.url)',
  );
}

/**
 * Address of its teacher, a file of the package beside it. No literal, so that bundlers leave it out.
 * @throws NcvsdError BAD_CHECKPOINT in a page: it is for those who train
 */
export function bundledTeacher(): URL {
  if (isNode) return new URL("edm2-fashion32.safetensors", bundledNetwork());
  throw bad(
    "the bundled teacher does not come with pages by itself: load it from " +
      'new URL("ncvsd-gpu/weights/edm2-fashion32.safetensors", import.meta.url)',
  );
}
