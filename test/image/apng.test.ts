import { expect, it } from "vitest";
import { animatedPng } from "../../src/image/apng.js";
import type { RawImage } from "../../src/image/pixels.js";
import { decodePng, encodePng } from "../../src/image/png.js";
import { readChunks, writeChunks } from "../../src/image/png-chunks.js";

const picture = (channels: 1 | 3, seed: number): RawImage => ({
  ...{ width: 7, height: 5, channels },
  data: Uint8Array.from({ length: 35 * channels }, (_, i) => (i * seed * 37) % 256),
});

/** The frames as PNG files of their own, and what their fcTL chunks say. */
function framesOf(file: Uint8Array) {
  const chunks = readChunks(file, "it");
  const numbers = chunks.flatMap(({ type, data }) =>
    type === "fcTL" || type === "fdAT" ? [new DataView(data.buffer, data.byteOffset).getUint32(0)] : [],
  );
  const frames: { delay: readonly number[]; size: readonly number[]; idat: Uint8Array[] }[] = [];
  for (const { type, data } of chunks) {
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    if (type === "fcTL") {
      const size = [4, 8, 12, 16].map((at) => view.getUint32(at));
      frames.push({ delay: [view.getUint16(20), view.getUint16(22)], size, idat: [] });
    } else if (type === "IDAT") frames.at(-1)!.idat.push(data);
    else if (type === "fdAT") frames.at(-1)!.idat.push(data.subarray(4));
  }
  const whole = frames.map(({ idat }) => {
    const data = idat.map((part) => ({ type: "IDAT", data: part }));
    const { text: _, ...image } = decodePng(writeChunks([chunks[0]!, ...data, chunks.at(-1)!]));
    return image;
  });
  const control = chunks.find(({ type }) => type === "acTL")!.data;
  return { whole, frames, numbers, types: chunks.map(({ type }) => type), control: [...control] };
}

it("frames are in their order, numbered without a gap, each for its time; the first is a picture for everybody", () => {
  const pictures = [1, 2, 3].map((seed) => picture(1, seed));
  const file = animatedPng(
    pictures.map((one) => encodePng(one)),
    [80, 300, 2000],
    { "ncvsd-gpu:sheet": "0.1.0", title: "猫" },
  );
  const { whole, frames, numbers, types, control } = framesOf(file);
  expect(whole).toEqual(pictures);
  expect(frames.map(({ delay }) => delay)).toEqual([80, 300, 2000].map((ms) => [ms, 1000]));
  for (const { size } of frames) expect(size).toEqual([7, 5, 0, 0]);
  expect(numbers).toEqual([0, 1, 2, 3, 4]);
  expect(control).toEqual([0, 0, 0, 3, 0, 0, 0, 0]);
  // acTL has to stand before the first IDAT.
  expect(types).toEqual(["IHDR", "tEXt", "iTXt", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"]);
  const first = decodePng(file);
  expect(first).toMatchObject({ ...pictures[0], text: { "ncvsd-gpu:sheet": "0.1.0", title: "猫" } });
});

it("where one frame has colours all have, and sizes have to agree", () => {
  const [grey, colours] = [picture(1, 1), picture(3, 2)];
  const { whole } = framesOf(animatedPng([encodePng(grey), encodePng(colours)], [80, 80]));
  expect(whole[1]).toEqual(colours);
  expect(whole[0]!.channels).toBe(3);
  expect([...whole[0]!.data]).toEqual([...grey.data].flatMap((v) => [v, v, v]));
  const small = encodePng({ width: 5, height: 7, channels: 1, data: new Uint8Array(35) });
  expect(() => animatedPng([encodePng(grey), small], [80, 80])).toThrow(/one size/);
  expect(() => animatedPng([], [])).toThrow(/0 frames/);
  expect(() => animatedPng([encodePng(grey)], [1, 2])).toThrow(/1 frames with 2 delays/);
});
