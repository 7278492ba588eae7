/** Pixels of a workgroup's own side. */
export const OWN_PIXELS = 32;

/** Channels that an invocation of `tiledPairs` sums up, in eight slices. Odd rows, four loads a quad, are compiled for long enough with 4. */
export function channelsPerInvocation({ headDim, pixels }: { headDim: number; pixels: number }): number {
  return [2, 4].find((channels) => 8 * channels >= headDim) ?? (pixels % 4 === 0 ? 8 : 4);
}

/**
 * What differs between the two kernels over pairs of a query and a key. Each workgroup owns some pixels (queries in one
 * kernel, keys in the other) and walks over all pixels of the other side.
 */
export interface Side {
  /** Rows of a channel's triple (q, k, v) whose product is the logit: of the own and of the other side. */
  readonly own: 0 | 1;
  readonly other: 0 | 1;
  /** What the gradient g v^ is made of: WGSL of a quad, from `at` (row of q), `gAt`, `width`, `last` and the number of the quad. */
  ownFactor(quad: string): string;
  otherFactor(quad: string): string;
  /** Members of `Other`, quads of what the other side gives to the weights. */
  readonly others: readonly string[];
  /** Sums over the other side: one per pixel (`sums`), and one per pixel and channel of each of `factors`. */
  readonly sums: readonly string[];
  /** What the weights of the pairs are multiplied with and summed up, WGSL of a quad of channel c. */
  factors(quad: string): readonly string[];
}

const sum = (terms: readonly string[]) => terms.join(" + ");

/**
 * The loop for any adapter and any width: a workgroup owns 32 pixels of one head and up to 8 * CHANNELS of its channels
 * (wider heads are split, at the price of the products being computed again) and walks over tiles of 32 others. An
 * invocation computes both products of 4 own by 4 other pixels in registers, has their weights made by the kernel's `weigh`,
 * and then sums up 4 own pixels by CHANNELS channels. The kernel gives `Own`, `ownOf`, `weigh` and `finish`.
 */
export function tiledPairs(side: Side, channels: number): string {
  const four = [0, 1, 2, 3];
  const kinds = side.factors("").map((_, kind) => kind);
  const each = (text: (k: number) => string) => four.map(text).join("\n");
  const others = (k: number) => side.others.map((name) => `other.${name}[${k}]`).join(", ");
  const ofKind = (text: (kind: number) => string) => kinds.map(text).join("\n");
  return `
const CHANNELS: u32 = ${channels}u;

// Weights of 32 other pixels by 8 quads of own ones.
${ofKind((kind) => `var<workgroup> weights${kind}: array<vec4f, 256>;`)}
// Sums over a slice of the other side, by own quads.
var<workgroup> partial: array<vec4f, 64>;

fn overSlices(lid: u32, own: vec4f) -> vec4f {
  workgroupBarrier();
  partial[lid] = own;
  workgroupBarrier();
  let lane = lid % 8u;
  let low = (partial[lane] + partial[lane + 8u]) + (partial[lane + 16u] + partial[lane + 24u]);
  return low + ((partial[lane + 32u] + partial[lane + 40u]) + (partial[lane + 48u] + partial[lane + 56u]));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let tile = wid.y * nwg.x + wid.x;
  let ownTiles = (p.quads + 7u) / 8u;
  let channelTiles = (p.headDim + 8u * CHANNELS - 1u) / (8u * CHANNELS);
  if (tile >= p.heads * ownTiles * channelTiles) {
    return;
  }
  // Read once: a compiler may load a uniform anew in every turn of a loop.
  let headDim = p.headDim;
  let quads = p.quads;
  let pixels = p.pixels;
  let width = rowLength(pixels);
  let last = width - 1u;
  let firstChannel = ((tile / ownTiles) % channelTiles) * (8u * CHANNELS);
  let head = tile / (ownTiles * channelTiles);
  let lane = lid % 8u;
  let slice = lid / 8u;
  let ownQuad = (tile % ownTiles) * 8u + lane;
  let own = ownOf(head, min(ownQuad, quads - 1u));

${ofKind((kind) => `  var acc${kind}: array<vec4f, CHANNELS>;`)}
${side.sums.map((name) => `  var ${name} = vec4f();`).join("\n")}
  for (var turn = 0u; turn < MANY; turn++) {
    let quad0 = 8u * turn;
    if (quad0 >= quads) {
      break;
    }
    // 1. Products of 4 own pixels (the components) with 4 others: sums of at most 32 channels, added up.
    let quad = quad0 + slice;
${each((k) => `    var s${k} = vec4f();\n    var d${k} = vec4f();`)}
    for (var turn = 0u; turn < MANY; turn++) {
      let c0 = 32u * turn;
      if (c0 >= headDim) {
        break;
      }
${each((k) => `      var sPart${k} = vec4f();\n      var dPart${k} = vec4f();`)}
      let end = min(c0 + 32u, headDim);
      for (var c = c0; c < MANY; c++) {
        if (c >= end) {
          break;
        }
        let gAt = (head * headDim + c) * width;
        let at = 3u * gAt;
        let a = loadQkv(at + ${side.own}u * width, ownQuad, last);
        let b = ${side.ownFactor("ownQuad")};
        let u = loadQkv(at + ${side.other}u * width, quad, last);
        let v = ${side.otherFactor("quad")};
${each((k) => `        sPart${k} += u[${k}] * a;\n        dPart${k} += v[${k}] * b;`)}
      }
${each((k) => `      s${k} += sPart${k};\n      d${k} += dPart${k};`)}
    }

    // 2. Weights of the pairs; pixels past the last one weigh nothing.
    let other = otherOf(head, min(quad, quads - 1u));
${each((k) => `    let w${k} = weigh(own, ${others(k)}, s${k}, d${k}, 4u * quad + ${k}u < pixels);`)}
${side.sums.map((name) => `    ${name} += ${sum(four.map((k) => `w${k}.${name}`))};`).join("\n")}
    workgroupBarrier();
    let mine = 32u * slice + lane;
${ofKind((kind) => each((k) => `    weights${kind}[mine + ${8 * k}u] = w${k}.factor${kind};`))}
    workgroupBarrier();

    // 3. Weighted sums: 4 own pixels by CHANNELS channels, 4 others at a time.
    let count = min(quads - quad0, 8u);
    for (var k = 0u; k < MANY; k++) {
      if (k >= count) {
        break;
      }
      let first = 32u * k + lane;
${ofKind((kind) => each((j) => `      let w${kind}${j} = weights${kind}[first + ${8 * j}u];`))}
      for (var i = 0u; i < CHANNELS; i++) {
        let gAt = (head * headDim + min(firstChannel + slice + 8u * i, headDim - 1u)) * width;
        let at = 3u * gAt;
${side
  .factors("quad0 + k")
  .map((load, kind) => {
    const terms = four.map((j) => `f${kind}[${j}] * w${kind}${j}`);
    return `        let f${kind} = ${load};\n        acc${kind}[i] += ${sum(terms)};`;
  })
  .join("\n")}
      }
    }
  }

${side.sums.map((name) => `  ${name} = overSlices(lid, ${name});`).join("\n")}
  if (ownQuad < quads) {
    let result = resultOf(own, ${side.sums.join(", ")});
    if (slice == 0u && firstChannel == 0u) {
      keep(head, ownQuad, result);
    }
    for (var i = 0u; i < CHANNELS; i++) {
      let c = firstChannel + slice + 8u * i;
      if (c < headDim) {
        finish(result, 3u * (head * headDim + c) * width, ownQuad, ${kinds.map((kind) => `acc${kind}[i]`).join(", ")});
      }
    }
  }
}
`;
}
