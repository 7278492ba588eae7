import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { bad } from "../errors.js";
import { type RawImage, toRgb } from "../image/pixels.js";
import { encodePng } from "../image/png.js";
import { FAMILY, fontFiles } from "./font.js";

let ready: Promise<typeof import("@resvg/resvg-wasm")> | undefined;

/** The renderer, made ready once: 2.5 MB that no command without a picture should read. */
function renderer(): Promise<typeof import("@resvg/resvg-wasm")> {
  ready ??= (async () => {
    const resvg = await import("@resvg/resvg-wasm");
    await resvg.initWasm(readFile(createRequire(import.meta.url).resolve("@resvg/resvg-wasm/index_bg.wasm")));
    return resvg;
  })();
  return ready;
}

/** Grey in one channel where no pixel has a colour. */
function lean(image: RawImage): RawImage {
  const { width, height, data } = image;
  for (let i = 0; i < data.length; i += 3) if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return image;
  const grey = new Uint8Array(width * height);
  for (let p = 0; p < grey.length; p++) grey[p] = data[3 * p]!;
  return { width, height, channels: 1, data: grey };
}

/**
 * An SVG as a PNG file, on white, all text in the figures' font whatever font it names, with what that has not from fonts of this
 * machine. Raster images within are enlarged as they are
 * (`image-rendering="optimizeSpeed"`: pixel by pixel).
 * @param options `zoom`: pixels of the PNG for one of the SVG's (default 2, for screens of today); `text`: PNG text chunks
 * @throws NcvsdError BAD_ARGUMENT for what is no SVG
 */
export async function svgToPng(
  svg: string,
  { zoom = 2, text = {} }: { readonly zoom?: number; readonly text?: Readonly<Record<string, string>> } = {},
): Promise<Uint8Array> {
  const { Resvg } = await renderer();
  const fontBuffers = fontFiles(svg);
  const families = { defaultFontFamily: FAMILY, sansSerifFamily: FAMILY, serifFamily: FAMILY, monospaceFamily: FAMILY };
  let drawing: InstanceType<typeof Resvg> | undefined;
  try {
    drawing = new Resvg(svg, {
      background: "#fff",
      fitTo: { mode: "zoom", value: zoom },
      font: { loadSystemFonts: false, fontBuffers, ...families },
    });
    const picture = drawing.render();
    const { width, height } = picture;
    const image = toRgb({ width, height, channels: 4, data: picture.pixels });
    picture.free();
    return encodePng(lean(image), text, 9);
  } catch (cause) {
    throw bad("the figure cannot be drawn: it is no SVG, or too large", cause);
  } finally {
    drawing?.free();
  }
}
