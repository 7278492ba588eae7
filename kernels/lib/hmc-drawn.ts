import type { BufferUse, Kernel } from "../../src/gpu/contract.js";
import { read } from "./buffers.js";
import { type Elementwise, elementwise } from "./elementwise.js";
import { checkHmc, type DrawnParams, hmcCounts, rowsOf } from "./hmc.js";
import text from "./hmc-drawn.wgsl.js";
import { runState, STATE_LENGTH } from "./run-state.js";

type Own = "name" | "source" | "parts" | "flops" | "reference" | "cases" | "tolerance";

interface HmcDrawn extends Pick<Elementwise<DrawnParams>, Own> {
  /** Recorded values that a call takes. */
  drawn(params: DrawnParams, rows: number): number;
  /** The buffers behind those that are read. */
  written(params: DrawnParams, rows: number): readonly BufferUse[];
}

/** A kernel that draws for a transition of Hamiltonian Monte Carlo: one invocation, one row. */
export function hmcDrawn({ drawn, written, parts = [], ...own }: HmcDrawn): Kernel<DrawnParams> {
  return elementwise<DrawnParams>({
    ...own,
    group: "sampling",
    parts: [{ file: "kernels/lib/hmc-drawn.wgsl", text }, runState, ...parts],
    counts: (params) => ({ ...hmcCounts(params), moves: params.moves }),
    check: (params) => checkHmc(own.name, params),
    threads: rowsOf,
    buffers: (params, rows) => [
      read("x", rows * params.dims),
      read("phi", rows),
      read("o", rows * params.dims),
      read("box", 3 * params.free, "u32"),
      read("state", params.runs * STATE_LENGTH),
      read("draws", params.recorded ? drawn(params, rows) : params.runs, "u32"),
      ...written(params, rows),
    ],
    flags: ({ recorded }) => ({ RECORDED: recorded }),
  });
}
