import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { OCTET, octets } from "../../lib/channel-operand.js";
import { checkChannels } from "../../lib/channel-range.js";
import { addressable, oneOf, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import scalars from "./put-scalars.wgsl.js";
import { quadPuts } from "./puts.js";
import { type ConvWeightBackwardCombineParams, pointsOf, reference } from "./reference.js";
import taps from "./taps.wgsl.js";
import tile2 from "./tile2.wgsl.js";
import tile4 from "./tile4.wgsl.js";

/** Elements of one piece of u at one point. */
const matrix = (p: ConvWeightBackwardCombineParams) => octets(p.outChannels) * octets(p.inChannels) * OCTET ** 2;

/** u [O][pieces][points][C], O and C padded to octets, to y [O, C, k, k] f32, the gradient of a convolution's weight. */
export const convWeightBackwardCombine: Kernel<ConvWeightBackwardCombineParams> = {
  name: "conv-weight-backward-combine",
  source: [{ file: "kernels/network/conv-weight-backward-combine/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["outChannels", "inChannels", "pieces"] as const)
      positiveInteger("conv-weight-backward-combine", name, p[name]);
    oneOf("conv-weight-backward-combine", "kernel", p.kernel, p.tile === undefined ? [1, 3] : [3]);
    if (p.tile !== undefined) oneOf("conv-weight-backward-combine", "tile", p.tile, [2, 4]);
    checkChannels("conv-weight-backward-combine", p.outChannels, p.into);
    addressable("conv-weight-backward-combine", "u", p.pieces, pointsOf(p), matrix(p));
    addressable("conv-weight-backward-combine", "y", p.into?.of ?? p.outChannels, p.inChannels, p.kernel, p.kernel);
  },
  buffers: (p) => [
    read("u", p.pieces * pointsOf(p) * matrix(p)),
    write("y", (p.into?.of ?? p.outChannels) * p.inChannels * p.kernel * p.kernel),
  ],
  variant({ kernel, tile, inChannels }) {
    const whole = inChannels % 4 === 0;
    const types = `const SIDE: i32 = ${kernel};\nalias Row = array<vec4f, SIDE>;\nalias Taps = array<Row, SIDE>;\n`;
    const [of, points] = tile === undefined ? [`${kernel}x${kernel}`, taps] : [`f${tile}`, tile === 4 ? tile4 : tile2];
    return {
      key: `${of} ${whole ? "quads" : "scalars"}`,
      prelude: types + points + (whole ? quadPuts(kernel) : scalars),
    };
  },
  uniforms(p) {
    const { outChannels, inChannels, pieces } = p;
    return {
      outChannels,
      firstChannel: p.into?.first ?? 0,
      inChannels,
      pieces,
      lines: Math.sqrt(pointsOf(p)),
    };
  },
  grid: (p, _variant, caps) => grid1d(p.outChannels * octets(p.inChannels) * 2, 64, caps),
  cost(p) {
    const u = p.pieces * pointsOf(p) * matrix(p);
    const transform = p.tile === undefined ? 0 : (p.tile === 4 ? 6 * (16 + 18) : 4 * (8 + 18)) * matrix(p);
    return { flops: u + transform, bytes: 4 * (u + p.outChannels * p.inChannels * p.kernel ** 2) };
  },
  reference,
  cases: (() => {
    const odd = { outChannels: 9, inChannels: 13, pieces: 3 };
    const three = { kernel: 3 as const };
    return [
      { name: "1x1, odd everything", params: { ...odd, kernel: 1 as const } },
      { name: "1x1, one of all", params: { outChannels: 1, inChannels: 1, pieces: 1, kernel: 1 as const } },
      { name: "1x1, whole quads", params: { ...odd, inChannels: 12, kernel: 1 as const } },
      { name: "taps, whole quads", params: { ...odd, inChannels: 12, ...three } },
      { name: "taps, odd everything", params: { ...odd, ...three } },
      ...([4, 2] as const).flatMap((tile) => [
        { name: `tiles of ${tile}, odd everything`, params: { ...odd, ...three, tile } },
        { name: `tiles of ${tile}, one of all`, params: { outChannels: 1, inChannels: 1, pieces: 1, ...three, tile } },
        { name: `tiles of ${tile}, some channels`, params: { ...odd, ...three, tile, into: { first: 8, of: 20 } } },
        { name: `tiles of ${tile}, a layer`, params: { outChannels: 64, inChannels: 64, pieces: 2, ...three, tile } },
      ]),
    ];
  })(),
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
