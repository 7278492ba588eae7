import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeJpeg } from "../../src/image/jpeg.js";
import { decodePng } from "../../src/image/png.js";
import { fixturePath } from "../support/fixtures.js";

const file = (name: string) => new Uint8Array(readFileSync(fixturePath(`jpeg/${name}`)));

/** PSNR in dB to what Pillow (libjpeg-turbo) made of the same file, turned upright. */
async function against(name: string): Promise<number> {
  const [ours, theirs] = [await decodeJpeg(file(`${name}.jpg`), name), decodePng(file(`${name}.png`))];
  expect([ours.width, ours.height, ours.channels]).toEqual([theirs.width, theirs.height, theirs.channels]);
  const sum = ours.data.reduce((total, v, i) => total + (v - theirs.data[i]!) ** 2, 0);
  return 10 * Math.log10((255 ** 2 * ours.data.length) / sum);
}

describe("JPEG as libjpeg reads it", () => {
  it.each([
    ["j420", "4:2:0"],
    ["j422", "4:2:2"],
    ["prog", "progressive"],
    ["grey", "grey"],
    ["rgb", "red, green, blue without conversion"],
    ["exif6", "turned by a quarter, as Exif says"],
  ])("%s: %s, to the bit", async (name) => expect(await against(name)).toBe(Infinity));

  it("cmyk: four inks, above 50 dB", async () => expect(await against("cmyk")).toBeGreaterThan(50));

  it("every Exif orientation turns as Exif means it", async () => {
    const upright = decodePng(file("exif6.png"));
    const bytes = file("exif6.jpg");
    // The tag, its type (a short), one of it; then the value, of two bytes in big-endian order.
    const at = Buffer.from(bytes).indexOf(Buffer.from([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6])) + 9;
    expect(bytes[at]).toBe(6);
    const turned = async (orientation: number) => {
      bytes[at] = orientation;
      return decodeJpeg(bytes);
    };
    const stored = await turned(1);
    const [w, h] = [stored.width, stored.height];
    const pixel = (x: number, y: number) => stored.data.subarray(3 * (y * w + x), 3 * (y * w + x) + 3).join();
    // Where the picture's top left corner lies in the stored one.
    const corners = [[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1], [0, 0], [0, h - 1], [w - 1, h - 1], [w - 1, 0]]; // biome-ignore format: one line
    for (const [i, [x, y]] of corners.entries()) {
      const image = await turned(i + 1);
      expect([image.width, image.height], `${i + 1}`).toEqual(i < 4 ? [w, h] : [h, w]);
      expect(image.data.subarray(0, 3).join(), `${i + 1}`).toBe(pixel(x!, y!));
    }
    expect((await turned(6)).data).toEqual(upright.data);
  });

  it("a damaged one is refused in a sentence, and the next is read", async () => {
    const whole = file("j420.jpg");
    const refused = async (bytes: Uint8Array) =>
      decodeJpeg(bytes, "x.jpg").then(
        () => "",
        (error: Error) => error.message,
      );
    expect(await refused(whole.subarray(0, 100))).toMatch(/^x\.jpg is damaged/);
    expect(await refused(Uint8Array.of(0xff, 0xd8, 0xff, 0xd9))).toMatch(/no header/);
    const size = whole.findIndex((_, i) => whole[i] === 0xff && whole[i + 1] === 0xc0);
    const claiming = (change: (bytes: Uint8Array) => void) => {
      const bytes = whole.slice();
      change(bytes);
      return refused(bytes);
    };
    expect(await claiming((b) => b.set([0xff, 0xff, 0xff, 0xff], size + 5))).toMatch(/65535x65535 pixels: more than/);
    expect(await claiming((b) => b.set([0x2a, 0xf8, 0x2a, 0xf8], size + 5))).toMatch(
      /cannot hold the 11000x11000 pixels/,
    );
    const inks = file("cmyk.jpg");
    const frame = inks.findIndex((_, i) => inks[i] === 0xff && inks[i + 1] === 0xc0);
    const large = new Uint8Array(2 ** 16);
    large.set(inks);
    large.set([0x0b, 0xb8, 0x0b, 0xb8], frame + 5);
    expect(await refused(large)).toMatch(/3000x3000 pixels of four inks/);
    expect(await claiming((b) => b.set([12], size + 4))).toMatch(/of 12 bits/);
    expect(await claiming((b) => b.set([2], size + 9))).toMatch(/2 colours/);
    const scans = new Uint8Array([...whole.subarray(0, -2), ...Array(501).fill([0xff, 0xda]).flat(), 0xff, 0xd9]);
    expect(await refused(scans)).toMatch(/more than 500 scans/);
    expect(await against("j420")).toBe(Infinity);
  });
});
