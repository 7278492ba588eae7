import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CheckpointInput, openCheckpoint } from "../../src/checkpoint/index.js";
import { NcvsdError } from "../../src/errors.js";
import { fixturePath, rawFile } from "../support/safetensors-fixture.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ncvsd-bad-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The message of the BAD_CHECKPOINT that opening `input` ends in. */
async function refusal(input: CheckpointInput): Promise<string> {
  const error = await openCheckpoint(input).then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof NcvsdError)) throw new Error(`expected an NcvsdError, got ${error}`);
  expect(error.code).toBe("BAD_CHECKPOINT");
  expect(error.message).not.toContain("\n");
  expect(error.message.length).toBeLessThan(1500);
  return error.message;
}

const info = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });
const f32 = (shape: unknown, offsets: unknown) => info("F32", shape, offsets);
const file = (header: object, bytes: number) => rawFile(JSON.stringify(header), new Uint8Array(bytes));
const bytes = (...parts: (string | readonly number[])[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : part)));

describe("a header that breaks the format", () => {
  const cases: [what: string, input: Uint8Array, message: RegExp][] = [
    ["shorter than 8 bytes", bytes([1, 2, 3]), /only 3 bytes/],
    ["a header length beyond the file", rawFile("{}".padEnd(16), undefined, 1000n), /truncated.*1000 bytes.*only 24/],
    [
      "a header length beyond the limit",
      rawFile("{}", undefined, 100_000_001n),
      /header of 100000001 bytes, the limit is 100000000/,
    ],
    ["the largest header length", rawFile("{}", undefined, 2n ** 64n - 1n), /header of 18446744073709551615 bytes/],
    ["an empty header", rawFile(""), /does not start with "\{"/],
    ["a header that starts with a space", rawFile(" {}"), /does not start with "\{"/],
    ["a header that is a list", rawFile("[]"), /JSON|does not start with "\{"/],
    ["a byte order mark", rawFile("\ufeff{}"), /does not start with "\{"/],
    ["invalid UTF-8", rawFile(bytes('{"a', [0xff], '":1}')), /not valid UTF-8/],
    ["an overlong UTF-8 sequence", rawFile(bytes('{"', [0xc0, 0x80], '":1}')), /not valid UTF-8/],
    ["JSON cut short", rawFile('{"a":'), /not valid JSON: unexpected end at offset 5/],
    ["text after the object", rawFile("{} x"), /text after the end at offset 3/],
    ["NUL padding", rawFile("{}\0\0"), /text after the end/],
    ["a trailing comma", rawFile('{"__metadata__":{},}'), /expected a string/],
    ["a bad escape", rawFile('{"\\x":1}'), /bad escape/],
    ["a raw line break in a string", rawFile('{"a\nb":1}'), /control character/],
    ["a lone surrogate", rawFile('{"\\ud800":1}'), /lone surrogate/],
    ["endless nesting", rawFile(`{"a":${"[".repeat(100_000)}`), /levels of nesting/],
    [
      "millions of values",
      rawFile(`{"a":{"dtype":"F32","shape":[${"1,".repeat(2_100_000)}1]}}`),
      /more than 2000000 values/,
    ],
    ["a tensor twice", rawFile('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}'), /duplicate key "a"/],
    ["a tensor twice, once escaped", rawFile('{"a":{},"\\u0061":{}}'), /duplicate key "a"/],
    ["a field twice", rawFile('{"a":{"dtype":"U8","dtype":"I8"}}'), /duplicate key "dtype"/],
    ["metadata twice", rawFile('{"__metadata__":{},"__metadata__":{}}'), /duplicate key "__metadata__"/],
    ["metadata that is no object", rawFile('{"__metadata__":[]}'), /__metadata__ is not a JSON object/],
    ["metadata with a number", rawFile('{"__metadata__":{"a":1}}'), /__metadata__ 'a' is not a string/],
    ["a tensor that is no object", rawFile('{"w":1}'), /tensor 'w' is not described by a JSON object/],
    ["no dtype", rawFile('{"w":{"shape":[],"data_offsets":[0,0]}}'), /tensor 'w' has no dtype/],
    ["an unknown dtype", file({ w: info("F33", [1], [0, 4]) }, 4), /tensor 'w' has the unknown dtype 'F33'/],
    ["a dtype of Object.prototype", file({ w: info("toString", [1], [0, 4]) }, 4), /unknown dtype 'toString'/],
    ["no shape", rawFile('{"w":{"dtype":"F32","data_offsets":[0,4]}}', new Uint8Array(4)), /tensor 'w': its shape/],
    ["a negative extent", file({ w: f32([-1], [0, 4]) }, 4), /tensor 'w': its shape/],
    ["a fractional extent", file({ w: f32([1.5], [0, 6]) }, 6), /tensor 'w': its shape/],
    [
      "an extent written 1.0",
      rawFile('{"w":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', new Uint8Array(1)),
      /its shape/,
    ],
    [
      "an extent written 1e0",
      rawFile('{"w":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', new Uint8Array(1)),
      /its shape/,
    ],
    [
      "an extent of 2^53",
      rawFile('{"w":{"dtype":"U8","shape":[9007199254740992],"data_offsets":[0,1]}}', new Uint8Array(1)),
      /its shape/,
    ],
    ["an extent that is a string", file({ w: f32(["1"], [0, 4]) }, 4), /its shape/],
    ["an overflowing shape", file({ w: f32([2 ** 40, 2 ** 40], [0, 4]) }, 4), /tensor 'w'.*overflows/],
    ["an overflowing number of bits", file({ w: f32([2 ** 50], [0, 4]) }, 4), /tensor 'w'.*overflows/],
    ["half a byte", file({ w: info("F4", [3], [0, 2]) }, 2), /whole number of bytes/],
    ["65 dimensions", file({ w: f32(new Array(65).fill(1), [0, 4]) }, 4), /65 dimensions/],
    ["one offset", file({ w: f32([1], [0]) }, 4), /data_offsets are not two integers/],
    ["a negative offset", file({ w: f32([1], [-4, 0]) }, 4), /data_offsets are not two integers/],
    ["offsets the wrong way round", file({ w: f32([1], [4, 0]) }, 4), /data end \(0\) before they begin \(4\)/],
    [
      "a length that contradicts the shape",
      file({ w: f32([2], [0, 4]) }, 4),
      /F32 \[2\] needs 8 bytes, but its data_offsets span 4/,
    ],
    ["data that do not start at 0", file({ w: f32([1], [4, 8]) }, 8), /tensor 'w' leaves a hole.*offset 4, expected 0/],
    [
      "a hole",
      file({ v: f32([1], [0, 4]), w: f32([1], [8, 12]) }, 12),
      /tensor 'w' leaves a hole.*offset 8, expected 4/,
    ],
    ["an overlap", file({ v: f32([2], [0, 8]), w: f32([1], [4, 8]) }, 8), /tensor 'w' overlaps.*offset 4, expected 8/],
    ["the same data for two tensors", file({ v: f32([1], [0, 4]), w: f32([1], [0, 4]) }, 4), /tensor 'w' overlaps/],
    [
      "data cut short",
      file({ v: f32([1], [0, 4]), w: f32([2], [4, 12]) }, 8),
      /truncated: the data of tensor 'w' end at byte/,
    ],
    ["bytes after the last tensor", file({ w: f32([1], [0, 4]) }, 6), /2 bytes follow the data of the last tensor/],
    ["data without a tensor", file({}, 3), /3 bytes follow/],
  ];
  it.each(cases)("%s", async (_, input, message) => {
    expect(await refusal(input)).toMatch(message);
  });

  it("too many tensors", async () => {
    const tensors = Array.from({ length: 100_001 }, (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`);
    expect(await refusal(rawFile(`{${tensors.join(",")}}`))).toMatch(/lists 100001 tensors; the limit is 100000/);
  });

  it("a tensor name of a megabyte is shortened in the message, control characters are escaped", async () => {
    expect(await refusal(file({ [`\u001b[31m${"x".repeat(1e6)}`]: 1 }, 0))).toContain("tensor '\\u001b[31mxxx");
  });
});

describe("something else altogether: the message says what it looks like", () => {
  const zip = (name: string) =>
    bytes("PK\x03\x04", new Array(22).fill(0), [name.length, 0, 0, 0], name, new Array(20).fill(0));
  const cases: [what: string, input: Uint8Array, message: RegExp][] = [
    ["empty file", bytes(), /is empty/],
    ["NumPy archive", zip("x.npy"), /\.npz/],
    ["other zip", zip("picture.png"), /zip archive/],
    ["HTML", bytes("\n<!DOCTYPE html><html><body>Not found</body></html>"), /HTML page/],
    ["JSON", bytes('{"weight_map": {"a": "b"}}'), /JSON.*index\.json/],
    ["GGUF", bytes("GGUF", [3, 0, 0, 0], new Array(16).fill(0)), /GGUF/],
    ["npy", bytes("\x93NUMPY", [1, 0], "v\0{'descr': '<f4'}"), /\.npy/],
    ["ONNX", bytes([8, 7, 0x12, 7], "pytorch", [0x1a, 5], "2.1.0"), /ONNX/],
    ["PNG", bytes("\x89PNG\r\n\x1a\n", [0, 0, 0, 13], "IHDR"), /PNG/],
    ["HDF5", bytes("\x89HDF\r\n\x1a\n", new Array(20).fill(0)), /HDF5/],
    ["gzip", bytes([0x1f, 0x8b, 8, 0], new Array(20).fill(0)), /gzip/],
    ["git-lfs pointer", bytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), /git lfs pull/],
    ["text", bytes("these are not the weights you are looking for"), /text file/],
    ["noise", Uint8Array.from({ length: 64 }, (_, i) => 129 + ((i * 37) % 100)), /claims a header of/],
  ];
  it.each(cases)("%s", async (_, input, message) => {
    const text = await refusal(input);
    expect(text).toMatch(message);
    expect(text).toContain("not a safetensors file");
  });

  it.each([
    ["protocol 2", bytes([0x80, 2], "}q\0X\x07\0\0\0")],
    ["protocol 4", bytes([0x80, 4, 0x95], new Array(20).fill(0))],
    ["PyTorch archive", zip("archive/data.pkl")],
  ])("a pickle without a network: %s", async (_, input) => {
    expect(await refusal(input)).toMatch(/\(bytes\)' cannot be converted: /);
  });
});

describe("a path that cannot be read", () => {
  it("does not exist", async () => {
    expect(await refusal(join(folder, "nothing.safetensors"))).toMatch(/nothing\.safetensors' does not exist/);
    expect(await refusal("")).toMatch(/'' does not exist/);
    expect(await refusal(new URL(`file://${folder}/nothing.safetensors`))).toMatch(/does not exist/);
  });

  it("is a folder, or no regular file", async () => {
    expect(await refusal(folder)).toMatch(/is a folder/);
    if (process.platform !== "win32") expect(await refusal("/dev/null")).toMatch(/not a regular file/);
  });

  it("has a NUL in it, or goes through a file", async () => {
    expect(await refusal("a\0b")).toMatch(/cannot be read/);
    expect(await refusal(join(fixturePath("schedule.json"), "x"))).toMatch(/does not exist/);
  });

  it("is a link to itself", async () => {
    const path = join(folder, "loop.safetensors");
    symlinkSync(path, path);
    expect(await refusal(path)).toMatch(/cannot be read \(ELOOP\)/);
  });

  it("an input of another kind is the caller's fault", async () => {
    await expect(openCheckpoint(7 as unknown as string)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(openCheckpoint("ftp://example.org/x")).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
  });
});
