import { bad } from "../errors.js";
import { toRgb } from "./pixels.js";
import { decodePng, encodePng } from "./png.js";
import { type PngChunk, readChunks, textChunk, writeChunks } from "./png-chunks.js";

/** Numbers of four bytes, most significant first, as chunks have them, with room for more. */
function words(values: readonly number[], bytes = 4 * values.length): DataView {
  const view = new DataView(new ArrayBuffer(bytes));
  for (const [i, value] of values.entries()) view.setUint32(4 * i, value);
  return view;
}

const chunk = (type: string, { buffer }: DataView): PngChunk => ({ type, data: new Uint8Array(buffer as ArrayBuffer) });

/**
 * PNG files as one that moves, over and over (PNG specification, third edition: acTL, fcTL, fdAT). A reader that knows no animation
 * sees the first frame.
 * @param frames PNG files of one size, 8 bits, grey or RGB
 * @param delays milliseconds that each is shown, below 65536
 * @param text keyword to text, as of `encodePng`
 * @throws NcvsdError BAD_ARGUMENT where there is no frame, another number of delays, or frames differ in size
 */
export function animatedPng(
  frames: readonly Uint8Array[],
  delays: readonly number[],
  text: Readonly<Record<string, string>> = {},
): Uint8Array {
  if (frames.length === 0 || delays.length !== frames.length)
    throw bad(`an animation of ${frames.length} frames with ${delays.length} delays cannot be made`);
  let all = frames.map((frame) => readChunks(frame, "the frame"));
  const headers = () => new Set(all.map(([header]) => `${header!.data}`));
  // Where some are in colour, all are.
  if (headers().size > 1)
    all = frames.map((frame) => readChunks(encodePng(toRgb(decodePng(frame)), {}, 9), "the frame"));
  if (headers().size > 1) throw bad("the frames of an animation have to be of one size");
  const header = all[0]![0]!;
  const { data: bytes } = header;
  const size = new DataView(bytes.buffer, bytes.byteOffset);
  let sequence = 0;
  const moving = all.flatMap((chunks, i) => {
    // At 0, 0; each in place of the one before.
    const control = words([sequence++, size.getUint32(0), size.getUint32(4)], 26);
    control.setUint16(20, delays[i]!);
    control.setUint16(22, 1000);
    const pixels = chunks.filter(({ type }) => type === "IDAT");
    const numbered = ({ data }: PngChunk): PngChunk => {
      const whole = chunk("fdAT", words([sequence++], 4 + data.length));
      whole.data.set(data, 4);
      return whole;
    };
    return [chunk("fcTL", control), ...(i === 0 ? pixels : pixels.map(numbered))];
  });
  const texts = Object.entries(text).map(([keyword, value]) => textChunk(keyword, value));
  const end: PngChunk = { type: "IEND", data: new Uint8Array() };
  return writeChunks([header, ...texts, chunk("acTL", words([frames.length, 0])), ...moving, end]);
}
