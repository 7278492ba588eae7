import type { MatrixShape } from "../../../src/gpu/contract.js";
import { ACROSS, DOWN, matrixTile } from "./sizes.js";
import { tilePlace } from "./tile-place.js";

/**
 * For GPUs with matrix units: a workgroup of exactly one subgroup multiplies matrices of m x k by k x n halves into sums of f32. Its
 * tile of operands comes through workgroup memory as halves (weights [k][row], columns [k][column]), and so do its sums on their way
 * to the epilogue. What lies past the last row, column or k is as in kernels/lib/tiled-product.ts. In front of this text: SHRINK
 * (`shrinking` of sizes.ts).
 */
export function matrixSource(lanes: number, shape: MatrixShape): string {
  const { m, n, k } = shape;
  const { rows, columns } = matrixTile(shape);
  const [quads, wQuads] = [columns / 4, rows / 4];
  const list = (count: number, text: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => text(i)).join("\n");
  /** Lines that an invocation loads and keeps, `across` quads each in `into`. */
  const share = (into: string, across: number, load: (line: string, quad: string) => string) => {
    const count = Math.ceil((k * across) / lanes);
    const at = (i: number) => `lane + ${i * lanes}u`;
    const values = list(count, (i) => {
      const [line, quad] = [`((${at(i)}) / ${across}u)`, `((${at(i)}) % ${across}u)`];
      return `    let ${into}${i} = ${load(line, quad)};`;
    });
    const kept = list(count, (i) => {
      const puts = list(4, (c) => `      ${into}[(${at(i)}) * 4u + ${c}u] = f16(${into}${i}.${"xyzw"[c]});`);
      return (i + 1) * lanes > k * across ? `    if (${at(i)} < ${k * across}u) {\n${puts}\n    }` : puts;
    });
    return { values, kept };
  };
  const weights = share("left", wQuads, (line, quad) => {
    const from = `(group * rowGroups + wQuad(rowTile, ${quad}) / 2u) * p.packedDepth * 2u + wQuad(rowTile, ${quad}) % 2u`;
    return `select(vec4f(), weight4(w[${from} + min(k0 + ${line}, p.depth - 1u) * 2u]), k0 + ${line} < p.depth)`;
  });
  const values = share("right", quads, (line, quad) => {
    return `SHRINK * quad(x[xStart(columnTile, ${quad}, group) + min(k0 + ${line}, p.depth - 1u) * step])`;
  });
  const results = Array.from({ length: DOWN * ACROSS }, (_, i) => [Math.floor(i / ACROSS), i % ACROSS] as const);
  return `
alias Left = subgroup_matrix_left<f16, ${k}, ${m}>;
alias Right = subgroup_matrix_right<f16, ${n}, ${k}>;
alias Result = subgroup_matrix_result<f32, ${n}, ${m}>;
var<workgroup> left: array<f16, ${k * rows}>;
var<workgroup> right: array<f16, ${k * columns}>;
var<workgroup> sums: array<f32, ${rows * columns}>;

fn wQuad(rowTile: u32, i: u32) -> u32 {
  return min(rowTile * ${wQuads}u + i, (p.rows + 7u) / 8u * 2u - 1u);
}

fn xStart(columnTile: u32, i: u32, group: u32) -> u32 {
  let column = min(columnTile * ${quads}u + i, p.live - 1u);
  return column / p.quads * p.depth * p.groups * p.quads + group * p.quads + column % p.quads;
}

@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
${tilePlace(rows, quads)}
${results.map(([i, j]) => `  var c${i}_${j} = Result();`).join("\n")}
  for (var turn = 0u; turn < 65536u; turn++) {
    let k0 = turn * ${k}u;
    if (k0 >= p.depth) {
      break;
    }
${weights.values}
${values.values}
    workgroupBarrier();
${weights.kept}
${values.kept}
    workgroupBarrier();
${list(DOWN, (i) => `    let a${i} = subgroupMatrixLoad<Left, col_major>(&left, ${i * m}u, ${rows}u);`)}
${list(ACROSS, (j) => `    let b${j} = subgroupMatrixLoad<Right, row_major>(&right, ${j * n}u, ${columns}u);`)}
${results.map(([i, j]) => `    c${i}_${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, c${i}_${j});`).join("\n")}
  }
${results.map(([i, j]) => `  subgroupMatrixStore<row_major>(&sums, ${i * m * columns + j * n}u, c${i}_${j}, ${columns}u);`).join("\n")}
  workgroupBarrier();
  for (var i = 0u; i < ${Math.ceil((rows * quads) / lanes)}u; i++) {
    let at = i * ${lanes}u + lane;
    let column = columnTile * ${quads}u + at % ${quads}u;
    let row = rowTile * ${rows}u + at / ${quads}u;
    if (at < ${rows * quads}u && column < total && row < p.rows) {
      let image = column / p.quads;
      let sum = vec4f(sums[4u * at], sums[4u * at + 1u], sums[4u * at + 2u], sums[4u * at + 3u]);
      put((image * p.rows + row) * step + group * p.quads + column % p.quads, sum / SHRINK, image, row);
    }
  }
}`;
}
