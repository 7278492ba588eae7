import type { MatrixShape, Precision } from "./contract.js";

/** The WebGPU feature of matrix units. Experimental: Dawn offers it where unsafe interfaces are allowed (`experimental` of src/gpu/native.ts). */
export const MATRIX_FEATURE = "chromium-experimental-subgroup-matrix";

/** What Dawn's adapters tell of one shape that they multiply. */
interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Workgroup memory that every WebGPU adapter has, in bytes. */
const MEMORY = 16384;

/**
 * The largest matrices of halves, summed in f32, that an adapter multiplies and whose tiles fit any adapter's workgroup memory.
 * Undefined where it offers none, where activations are not stored as halves, or where they are switched off.
 */
export function matricesOf(
  adapter: { readonly features: { has(name: string): boolean }; readonly info: object },
  precision: Precision,
  wanted: "auto" | "off" = "auto",
): MatrixShape | undefined {
  if (wanted === "off" || precision !== "f16" || !adapter.features.has(MATRIX_FEATURE)) return undefined;
  const configs = (adapter.info as { subgroupMatrixConfigs?: readonly MatrixConfig[] }).subgroupMatrixConfigs ?? [];
  const shapes = [...configs]
    .filter((c) => c.componentType === "f16" && c.resultComponentType === "f32")
    .map(({ M: m, N: n, K: k }) => ({ m, n, k }))
    // Tiles are 4m x 2n, loaded and stored in quads; operands are halves, sums are not.
    .filter(({ m, n, k }) => m % 4 === 0 && n % 4 === 0 && 2 * k * (4 * m + 2 * n) + 32 * m * n <= MEMORY);
  return shapes.sort((a, b) => b.m * b.n * b.k - a.m * a.n * a.k)[0];
}

/** For records: `matrices`, such as 16x16x16, or nothing where there are none. */
export function matricesRecord({ matrices }: { readonly matrices?: MatrixShape | undefined }): { matrices?: string } {
  return matrices ? { matrices: `${matrices.m}x${matrices.n}x${matrices.k}` } : {};
}
