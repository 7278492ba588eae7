import { readFileSync } from "node:fs";
import { crc32, deflateSync, inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { NcvsdError } from "../../src/errors.js";
import {
  fromByte,
  imagesFromPlanarBytes,
  imagesFromValues,
  type RawImage,
  toByte,
  toRgb,
  valuesFromImages,
} from "../../src/image/pixels.js";
import { decodePng, encodePng, peekPngText } from "../../src/image/png.js";

/** Everything of a safetensors file that these tests need. */
function fixture(name: string): (key: string) => Float32Array | Uint8Array {
  const bytes = readFileSync(new URL(`../fixtures/primitives/${name}.safetensors`, import.meta.url));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start));
  return (key) => {
    const [from, to] = header[key].data_offsets;
    const data = Uint8Array.from(bytes.subarray(start + from, start + to));
    return header[key].dtype === "F32" ? new Float32Array(data.buffer) : data;
  };
}

/** A PNG written with Node's own zlib: the other side of every check here. */
function png(
  width: number,
  height: number,
  depth: number,
  colourType: number,
  rows: number[][],
  more: [string, number[]][] = [],
  interlace = 0,
): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType, 0, 0, interlace], 8);
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    out.set(body, 4);
    out.writeUInt32BE(crc32(body), body.length + 4);
    return out;
  };
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    ...more.map(([type, data]) => chunk(type, Uint8Array.from(data))),
    chunk("IDAT", deflateSync(Uint8Array.from(rows.flatMap((row) => [0, ...row])))),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

function picture(width: number, height: number, channels: 1 | 3 | 4): RawImage {
  return {
    width,
    height,
    channels,
    data: Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 37 + 11) % 256),
  };
}

const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(NcvsdError);
    expect((error as NcvsdError).code).toBe("BAD_ARGUMENT");
    return (error as NcvsdError).message;
  }
  throw new Error("was not refused");
};

describe("bytes and network values", () => {
  const rgb = fixture("encoders");

  test("decode as the reference, away from rounding borders and on them", () => {
    expect(Uint8Array.from(rgb("rgb.decode_in"), toByte)).toEqual(rgb("rgb.decode_out"));
    expect(Uint8Array.from(rgb("rgb.edge_in"), toByte)).toEqual(rgb("rgb.edge_out"));
  });

  test("encode as the reference, and decode undoes it for every byte", () => {
    expect(Float32Array.from(rgb("rgb.u8"), fromByte)).toEqual(rgb("rgb.encoded"));
    for (let u8 = 0; u8 < 256; u8++) expect(toByte(fromByte(u8))).toBe(u8);
  });

  test("values beyond the range saturate, and are truncated rather than rounded", () => {
    expect([-9, -1.01, 1, 1.01, 9].map(toByte)).toEqual([0, 0, 255, 255, 255]);
    expect(toByte(0.007)).toBe(128); // 128.89
  });

  test("NCHW becomes interleaved pictures and back", () => {
    const shape = [2, 3, 2, 3] as const;
    const planar = Uint8Array.from({ length: 36 }, (_, i) => i * 7);
    const images = imagesFromValues(Float32Array.from(planar, fromByte), shape);
    expect(images).toEqual(imagesFromPlanarBytes(planar, shape));
    expect(images).toHaveLength(2);
    // Second image, row 1, column 2: planes of 6 from 18 on.
    expect([...images[1]!.data.subarray(15, 18)]).toEqual([planar[23], planar[29], planar[35]]);
    const back = valuesFromImages(images);
    expect(back.shape).toEqual(shape);
    expect(back.values).toEqual(Float32Array.from(planar, fromByte));
  });

  test("what is no picture is refused, NaN and infinity are not hidden by the clip", () => {
    expect(refusal(() => imagesFromValues(new Float32Array(4), [1, 4, 1, 1]))).toMatch(/4 channels .*latents/);
    expect(refusal(() => imagesFromValues(new Float32Array(3), [1, 1, 2, 2]))).toMatch(/3 values do not fill/);
    expect(refusal(() => valuesFromImages([]))).toMatch(/no image/);
    expect(refusal(() => valuesFromImages([picture(2, 2, 4)]))).toMatch(/alpha/);
    expect(refusal(() => valuesFromImages([picture(2, 2, 1), picture(2, 3, 1)]))).toMatch(/image 1 is 2x3/);
    for (const value of [Number.NaN, Infinity]) {
      const act = () => imagesFromValues(Float32Array.from([0, 0, 0, value]), [2, 1, 1, 2]);
      expect(act).toThrow(expect.objectContaining({ code: "NOT_FINITE", message: expect.stringContaining("image 1") }));
    }
  });

  test("grey and transparent pictures become RGB over white", () => {
    expect([...toRgb({ width: 2, height: 1, channels: 1, data: Uint8Array.of(3, 200) }).data]).toEqual([
      3, 3, 3, 200, 200, 200,
    ]);
    const rgba = { width: 2, height: 1, channels: 4 as const, data: Uint8Array.of(10, 20, 30, 0, 10, 20, 30, 255) };
    expect([...toRgb(rgba).data]).toEqual([255, 255, 255, 10, 20, 30]);
  });
});

describe("writing PNG", () => {
  test.each([1, 3, 4] as const)(
    "%i channels: an independent reader finds the pixels, and we read them back",
    (channels) => {
      const image = picture(7, 5, channels);
      const bytes = encodePng(image, { a: "b" });
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      let pixels = new Uint8Array(0);
      const types: string[] = [];
      for (let at = 8; at < bytes.length; at += 12 + view.getUint32(at)) {
        const length = view.getUint32(at);
        const body = bytes.subarray(at + 4, at + 8 + length);
        expect(view.getUint32(at + 8 + length)).toBe(crc32(body));
        types.push(Buffer.from(body.subarray(0, 4)).toString("latin1"));
        if (types.at(-1) === "IDAT") pixels = inflateSync(body.subarray(4));
      }
      expect(types).toEqual(["IHDR", "tEXt", "IDAT", "IEND"]);
      const rows = Array.from({ length: 5 }, (_, y) => [
        0,
        ...image.data.subarray(y * 7 * channels, (y + 1) * 7 * channels),
      ]);
      expect([...pixels]).toEqual(rows.flat());
      expect(decodePng(bytes)).toEqual({ ...image, text: { a: "b" } });
    },
  );

  test("text of any characters comes back, Latin-1 as tEXt and the rest as iTXt", () => {
    const text = {
      "ncvsd-gpu:seed": "12",
      Latin: "Grüße\nzwei Zeilen",
      Other: "Ωmega 服 👕",
      Control: "a\tb",
      Empty: "",
    };
    const bytes = encodePng(picture(2, 2, 1), text);
    expect(decodePng(bytes).text).toEqual(text);
    const raw = Buffer.from(bytes).toString("latin1");
    expect(raw.split("tEXt")).toHaveLength(4);
    expect(raw.split("iTXt")).toHaveLength(3);
  });

  test("keywords and texts that the format does not allow are refused", () => {
    for (const key of ["", " a", "ä", "x".repeat(80)]) {
      expect(refusal(() => encodePng(picture(1, 1, 1), { [key]: "v" }))).toMatch(/keyword/);
    }
    expect(refusal(() => encodePng(picture(1, 1, 1), { k: "a\0b" }))).toMatch(/NUL/);
    expect(refusal(() => encodePng({ ...picture(2, 2, 1), width: 3 }))).toMatch(/cannot be made of 4 bytes/);
  });

  test("a file of which only the beginning is there still says where it came from", () => {
    const bytes = encodePng(picture(40, 40, 3), { origin: "here", more: "Ω" });
    const idat = Buffer.from(bytes).indexOf("IDAT");
    expect(peekPngText(bytes.subarray(0, idat + 40))).toEqual({ origin: "here", more: "Ω" });
    expect(peekPngText(bytes)).toEqual({ origin: "here", more: "Ω" });
    expect(peekPngText(Uint8Array.of(1, 2, 3))).toEqual({});
    expect(peekPngText(Buffer.from("not a PNG file, but longer than a few bytes"))).toEqual({});
  });
});

describe("reading other people's PNG files", () => {
  const pixels = (bytes: Uint8Array) => {
    const { channels, data } = decodePng(bytes);
    return { channels, data: [...data] };
  };

  test("16 bits are rounded to 8", () => {
    const rows = [
      [0x00, 0x00, 0x00, 0x80, 0x00, 0x81],
      [0x80, 0x00, 0xff, 0x7e, 0xff, 0xff],
    ];
    // Nearest of v * 255 / 65535: 128 lies below half a step, 129 above.
    expect(pixels(png(3, 2, 16, 0, rows))).toEqual({ channels: 1, data: [0, 0, 1, 128, 254, 255] });
  });

  test("1, 2 and 4 bits of grey are spread over 0..255, rows beginning on a byte", () => {
    expect(pixels(png(3, 2, 1, 0, [[0b10100000], [0b01000000]]))).toEqual({
      channels: 1,
      data: [255, 0, 255, 0, 255, 0],
    });
    expect(pixels(png(3, 1, 2, 0, [[0b00011011]]))).toEqual({ channels: 1, data: [0, 85, 170] });
    expect(pixels(png(3, 1, 4, 0, [[0x0f, 0x80]]))).toEqual({ channels: 1, data: [0, 255, 136] });
  });

  test("a palette becomes RGB, with transparent entries RGBA", () => {
    const palette: [string, number[]] = ["PLTE", [1, 2, 3, 40, 50, 60, 255, 0, 9]];
    expect(pixels(png(3, 1, 2, 3, [[0b00011000]], [palette]))).toEqual({
      channels: 3,
      data: [1, 2, 3, 40, 50, 60, 255, 0, 9],
    });
    const transparent = pixels(png(2, 1, 8, 3, [[0, 1]], [palette, ["tRNS", [7]]]));
    expect(transparent).toEqual({ channels: 4, data: [1, 2, 3, 7, 40, 50, 60, 255] });
    expect(refusal(() => decodePng(png(1, 1, 8, 3, [[3]], [palette])))).toMatch(/colour 3/);
    expect(refusal(() => decodePng(png(1, 1, 8, 3, [[0]])))).toMatch(/palette is missing/);
  });

  test("grey with alpha, and a transparent colour, become RGBA", () => {
    expect(pixels(png(2, 1, 8, 4, [[10, 255, 20, 0]]))).toEqual({
      channels: 4,
      data: [10, 10, 10, 255, 20, 20, 20, 0],
    });
    expect(pixels(png(2, 1, 8, 0, [[10, 20]], [["tRNS", [0, 20]]]))).toEqual({
      channels: 4,
      data: [10, 10, 10, 255, 20, 20, 20, 0],
    });
  });

  test("interlaced files are read, with few bits refused rather than garbled", () => {
    // Adam7 of 2x2: pass 1 has the first pixel, pass 6 the second, pass 7 the second row.
    expect(pixels(png(2, 2, 8, 0, [[1], [2], [3, 4]], [], 1)).data).toEqual([1, 2, 3, 4]);
    expect(refusal(() => decodePng(png(2, 2, 1, 0, [[128], [128], [0]], [], 1)))).toMatch(/without interlacing/);
  });

  test("malformed comments and profiles do not keep a picture from being read", () => {
    const odd: [string, number[]][] = [
      ["iCCP", [1, 2, 3]],
      ["tEXt", [0, 0]],
      ["tIME", []],
    ];
    expect(pixels(png(1, 1, 8, 0, [[77]], odd)).data).toEqual([77]);
  });

  test("what cannot be read is refused in one sentence that names the file", () => {
    const good = Buffer.from(encodePng(picture(20, 20, 3)));
    const file = (bytes: Uint8Array) => refusal(() => decodePng(bytes, "photo.png"));
    expect(file(new Uint8Array(0))).toBe("photo.png is not a PNG file: it is empty");
    expect(file(Buffer.from("\xff\xd8\xff\xe0 JFIF", "latin1"))).toMatch(/looks like a JPEG; convert it to PNG first/);
    for (let length = 8; length < good.length; length += 7)
      expect(file(good.subarray(0, length))).toMatch(/is cut off/);
    const flipped = Buffer.from(good);
    flipped[good.length - 30]! ^= 4;
    expect(file(flipped)).toMatch(/checksum of its IDAT chunk/);
    expect(file(png(100_000, 100_000, 8, 0, [[0]]))).toMatch(/100000x100000 pixels: more than/);
    expect(file(png(0, 4, 8, 0, [[0]]))).toMatch(/0x4/);
    expect(file(png(1, 1, 3, 0, [[0]]))).toMatch(/with 3 bits/);
    expect(file(png(2, 2, 8, 0, [[1, 2]]))).toMatch(/pixels cannot be unpacked/);
    expect(file(png(1, 1, 8, 0, [[1]], [["CgBI", [0]]]))).toMatch(/unknown PNG chunk CgBI/);
  });
});
