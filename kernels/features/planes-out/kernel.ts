import { read, write } from "../../lib/buffers.js";
import { checkChannels } from "../../lib/channel-range.js";
import { inRange, nonNegativeInteger, oneOf, positiveInteger } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { layoutOf, type PlanesOutParams, reference } from "./reference.js";

/** Pixels of an invocation. */
const RUN = 32;

/** Rows of a matrix, or images, to some channels and pixels of y [N, channels, height, width]. */
export const planesOut = elementwise<PlanesOutParams>({
  name: "planes-out",
  group: "features",
  source,
  counts: ({ rows, batch, height, width }) => ({ rows, batch, height, width }),
  check(p) {
    nonNegativeInteger("planes-out", "range.first", p.range.first);
    positiveInteger("planes-out", "range.count", p.range.count);
    const end = p.range.first + p.range.count;
    inRange("planes-out", "range.first + range.count", end, 1, p.batch * p.height * p.width);
    oneOf("planes-out", "activation", p.activation, ["none", "relu"]);
    checkChannels("planes-out", p.rows, p.into);
    if (p.source.kind === "matrix") {
      nonNegativeInteger("planes-out", "source.firstRow", p.source.firstRow);
      inRange("planes-out", "source.firstRow + rows", p.source.firstRow + p.rows, 1, p.source.ofRows);
    } else {
      nonNegativeInteger("planes-out", "source.crop", p.source.crop);
      inRange("planes-out", "source.crop + height", p.source.crop + p.height, 1, p.source.height);
      inRange("planes-out", "source.crop + width", p.source.crop + p.width, 1, p.source.width);
    }
  },
  threads: (p) => p.rows * Math.ceil(p.range.count / RUN),
  buffers: (p) => [
    read("m", layoutOf(p).length),
    read("b", p.rows),
    write("y", p.batch * (p.into?.of ?? p.rows) * p.height * p.width),
  ],
  variant: ({ activation }) => ({
    key: activation,
    prelude: `const RELU: bool = ${activation === "relu"};\nconst RUN: u32 = ${RUN}u;`,
  }),
  uniforms(p) {
    const { rowStep, imageStep, lineStep, offset } = layoutOf(p);
    return {
      ...{ rowStep, imageStep, lineStep, offset: offset >>> 0, ...p.range },
      firstChannel: p.into?.first ?? 0,
      ofChannels: p.into?.of ?? p.rows,
    };
  },
  cost(p) {
    const outputs = p.rows * p.range.count;
    return { flops: 2 * outputs, bytes: 8 * outputs };
  },
  reference,
  cases: (() => {
    const base: PlanesOutParams = {
      batch: 2,
      rows: 5,
      height: 7,
      width: 5,
      range: { first: 0, count: 70 },
      source: { kind: "matrix", firstRow: 0, ofRows: 5 },
      activation: "relu",
    };
    const one = { batch: 1, rows: 1, height: 1, width: 1, range: { first: 0, count: 1 } };
    return [
      { name: "rows as channels", params: base },
      { name: "one pixel", params: { ...base, ...one, source: { kind: "images", height: 1, width: 1, crop: 0 } } },
      {
        name: "some rows, channels and pixels",
        params: {
          ...base,
          ...{ rows: 3, batch: 4, range: { first: 20, count: 101 }, activation: "none" },
          source: { kind: "matrix", firstRow: 2, ofRows: 7 },
          into: { first: 4, of: 9 },
        },
      },
      {
        name: "the middle of images",
        params: { ...base, source: { kind: "images", height: 9, width: 8, crop: 1 }, into: { first: 1, of: 6 } },
      },
      {
        name: "NaN and infinities pass the relu",
        params: base,
        inputs: (name, length, random) =>
          name === "b"
            ? Float32Array.from({ length }, (_, i) => [Number.NaN, Infinity, -Infinity][i] ?? random())
            : undefined,
      },
    ];
  })(),
  tolerance: { f32: 3e-7, f16: 3e-7 },
});
