export interface Options {
  logitTurn: number;
  valueTurn: number;
  cacheQ: boolean;
  wide: number;
}
export function subgroupSource(o: Options = { logitTurn: 2, valueTurn: 2, cacheQ: false, wide: 1 }): string {
  const keys = Array.from({ length: 32 }, (_, i) => i);
  const sides = Array.from({ length: o.wide }, (_, i) => i);
  const of = (vector: string, key: number) => `subgroupBroadcast(${vector}.${"xyzw"[key & 3]}, ${key >> 2}u)`;
  const each = <T>(list: T[], text: (item: T) => string, glue = "\n") => list.map(text).join(glue);
  const turn = (n: number) => Array.from({ length: n }, (_, i) => i);
  return `
// Sums of 64 channels, each lane's own: no barriers.
var<workgroup> sums: array<vec4f, ${512 * o.wide}>;
${o.cacheQ ? `var<workgroup> queries: array<vec4f, ${512 * o.wide}>;` : ""}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tile = wid.y * nwg.x + wid.x;
  if (tile >= p.tiles) {
    return;
  }
  let headDim = p.headDim;
  let quads = p.quads;
  let pixels = p.pixels;
  let width = rowLength();
  let head = tile / p.queryTiles;
  let start = head * headDim * 3u * width;
  let step = 3u * width;
${each(sides, (s) => `  let queryQuad${s} = (tile % p.queryTiles) * ${8 * o.wide}u + ${8 * s}u + lane;
  var squares${s} = vec4f();`)}
  for (var c = 0u; c < headDim; c++) {
${each(sides, (s) => `    let query${s} = load4(start + step * c, queryQuad${s}, pixels);
    squares${s} += query${s} * query${s};
    ${o.cacheQ ? `queries[${8 * o.wide}u * c + ${8 * s}u + lane] = query${s};` : ""}`)}
  }
${each(sides, (s) => `  let queryScale${s} = p.scale / (1e-4 + sqrt(squares${s} * p.invDim));
  var total${s} = vec4f();`)}
  for (var keyQuad = 0u; keyQuad < quads; keyQuad += 8u) {
    let myQuad = keyQuad + lane;
    var kk = vec4f();
    var vv = vec4f();
${each(keys, (k) => each(sides, (s) => `    var s${k}_${s} = vec4f();`, ""))}
    for (var c = 0u; c < headDim; c += ${o.logitTurn}u) {
${each(turn(o.logitTurn), (i) => {
  const c = i === 0 ? "c" : `c${i}`;
  const text = (i === 0 ? "" : `      let c${i} = min(c + ${i}u, headDim - 1u);\n      let in${i} = c + ${i}u < headDim;\n`) +
    each(sides, (s) => `      let q${i}_${s} = ${o.cacheQ ? `queries[${8 * o.wide}u * ${c} + ${8 * s}u + lane]` : `load4(start + step * ${c}, queryQuad${s}, pixels)`};\n`, "");
  const load = (x: string, at: number) => {
    const l = `load4(start + step * ${c} + ${at}u * width, myQuad, pixels)`;
    return `      let ${x}${i} = ${i === 0 ? l : `select(vec4f(), ${l}, in${i})`};\n`;
  };
  return `${text}${load("k", 1)}${load("v", 2)}      kk += k${i} * k${i};\n      vv += v${i} * v${i};`;
})}
${each(keys, (k) => `      {\n        ${each(turn(o.logitTurn), (i) => `let u${i} = ${of(`k${i}`, k)};`, " ")}\n${each(sides, (s) => `        s${k}_${s} += ${each(turn(o.logitTurn), (i) => `u${i} * q${i}_${s}`, " + ")};`)}\n      }`)}
    }
    let invK = invNorms(kk);
    let invV = invNorms(vv);
    let first = 4u * keyQuad;
${each(keys, (k) => `    {
      let ik = ${of("invK", k)};
      let iv = ${of("invV", k)};
      let inside = first + ${k}u < pixels;
${each(sides, (s) => `      s${k}_${s} = select(vec4f(), exp(s${k}_${s} * (ik * queryScale${s})), inside);
      total${s} += s${k}_${s};
      s${k}_${s} *= iv;`)}
    }`)}
    for (var c = 0u; c < headDim; c += ${o.valueTurn}u) {
${each(turn(o.valueTurn), (i) => `      let c${i} = min(c + ${i}u, headDim - 1u);
      let v${i} = load4(start + step * c${i} + 2u * width, myQuad, pixels);
${each(sides, (s) => `      var a${i}_${s} = vec4f();`, "")}`)}
${each(keys.filter((k) => k % 2 === 0), (k) => each(turn(o.valueTurn), (i) => `      {
        let u = ${of(`v${i}`, k)};
        let w = ${of(`v${i}`, k + 1)};
${each(sides, (s) => `        a${i}_${s} += u * s${k}_${s} + w * s${k + 1}_${s};`)}
      }`))}
${each(turn(o.valueTurn), (i) => each(sides, (s) => `      let at${i}_${s} = ${8 * o.wide}u * (c + ${i}u) + ${8 * s}u + lane;
      sums[at${i}_${s}] = a${i}_${s} + select(vec4f(), sums[at${i}_${s}], keyQuad > 0u);`))}
    }
  }
  for (var c = 0u; c < headDim; c++) {
${each(sides, (s) => `    if (queryQuad${s} < quads) {
      store4((head * headDim + c) * width, queryQuad${s}, sums[${8 * o.wide}u * c + ${8 * s}u + lane] / total${s}, pixels);
    }`)}
  }
}
fn invNorms(squares: vec4f) -> vec4f {
  return 1.0 / (1e-4 + sqrt(squares * p.invDim));
}
`;
}
