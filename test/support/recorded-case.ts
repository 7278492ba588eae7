import { expect } from "vitest";
import { vjps } from "../../kernels/vjps.js";
import type { ElementType } from "../../src/gpu/contract.js";
import type { Gpu } from "../../src/gpu/device.js";
import { gradient, type Rule } from "../../src/graph/gradient.js";
import { Graph, type Node, type Tensor } from "../../src/graph/graph.js";
import { relativeError } from "../../src/graph/run-kernel.js";
import type { EffectiveWeight } from "../../src/layers/trained.js";
import { StoredRows } from "./effective-weights.js";
import { evaluate } from "./evaluate.js";
import type { RawTensors } from "./raw-tensors.js";

type Values = ArrayLike<number>;

/** What a case makes of its inputs. */
export interface Made {
  readonly out: Tensor;
  /** Recorded forward values besides the output, by their names behind the case's. */
  readonly forward?: ReadonlyMap<string, Tensor>;
  /** Tensors whose gradients are recorded, by their names behind the case's. */
  readonly gradients: ReadonlyMap<string, Tensor>;
  readonly rules?: ReadonlyMap<Tensor, Rule>;
  /** Of layers with changing weights: gradients that are asked for are those of the stored tensors, and their gains' come with them. */
  readonly weights?: ReadonlyMap<string, EffectiveWeight>;
  /** In training mode: rows are normalised first, and `stored` has what that made of them. */
  readonly train?: boolean;
  /** Puts another node in a node's place, forward and backward: where a recorded value takes that of a draw. */
  swap?(node: Node): Node;
}

/** A recorded case, replayed: `out`, forward values and gradients, by recorded name. */
export class RecordedCase {
  readonly graph = new Graph();
  readonly given = new Map<string, Values>();
  /** Stored weights of the run, by name. */
  readonly stored = new Map<string, Values>();
  readonly #gpu: Gpu | undefined;
  readonly #file: RawTensors;
  readonly #name: string;

  constructor(gpu: Gpu | undefined, file: RawTensors, name: string) {
    this.#gpu = gpu;
    this.#file = file;
    this.#name = name;
  }

  shape(input: string): readonly number[] {
    return this.#file.shapes.get(`${this.#name}.${input}`)!;
  }

  values(input: string): Float64Array {
    return this.#file.values(`${this.#name}.${input}`);
  }

  /** An external tensor with the recorded values of an input. */
  input(input: string, type: ElementType = "act", shape = this.shape(input)): Tensor {
    this.given.set(input, this.values(input));
    return this.graph.external(input, shape, type);
  }

  /** @param up the arriving gradient; recorded as `up` unless given */
  async run(
    { out, forward = new Map(), gradients, rules, weights = new Map(), train = false, swap }: Made,
    up = this.values("up"),
  ): Promise<Map<string, Values>> {
    const seed = this.graph.external("up", out.shape, out.type);
    this.given.set("up", up);
    const effective = new Map<Tensor, StoredRows>();
    for (const [name, weight] of weights) {
      const values = (of: string) => this.given.get(of) ?? this.values(of);
      const rows = await StoredRows.of(this.#gpu, weight, name, values, train);
      this.given.set(weight.scale.name, rows.scales);
      this.stored.set(name, rows.stored);
      effective.set(weight.w, rows);
    }
    const asked = new Map(
      Array.from(gradients, ([key, tensor]) => [key, effective.get(tensor)?.weight.scale ?? tensor]),
    );
    const derivatives = { vjps, ...(rules && { rules }) };
    const found = gradient(this.graph, new Map([[out, seed]]), [...asked.values()], derivatives);
    if (swap) for (const [i, node] of this.graph.nodes.entries()) this.graph.nodes[i] = swap(node);
    const wanted = new Map([["out", out], ...forward]);
    for (const [key, tensor] of asked) wanted.set(key, found.get(tensor)!);
    const values = await evaluate(this.#gpu, this.graph, this.given, [...wanted.values()]);
    const made = new Map([...wanted.keys()].map((key, i) => [key, values[i]!]));
    for (const [key, tensor] of gradients) {
      const rows = effective.get(tensor);
      if (!rows) continue;
      const { dw, dgain } = await rows.gradients(made.get(key)!);
      made.set(key, dw);
      if (rows.weight.gain !== undefined) made.set(`grad.${rows.weight.gain}`, [dgain]);
    }
    return made;
  }
}

/**
 * Errors ||a - b|| / ||b|| against the float64 recording, by the first rule of the recording's README, which any float32 code with
 * plain sums meets: 2e-6 for tensors and 1e-4 for scalars, or ten times what the reference's own float32 run was off.
 * (The second rule, for Winograd's convolutions, is not needed here.)
 */
export class Verdict {
  readonly #errors: { key: string; error: number; allowed: number }[] = [];
  readonly #file: RawTensors;
  readonly #own: Record<string, number>;
  readonly #exact: number | undefined;

  /** @param exact bound for all tensors instead of the rule: of the references, which are as good as the recording */
  constructor(file: RawTensors, exact?: number) {
    this.#file = file;
    this.#own = JSON.parse(file.metadata.fp32_vs_fp64_rel_err_by_tensor ?? "{}");
    this.#exact = exact;
  }

  compare(key: string, ours: Values): void {
    const truth = this.#file.values(`${key}.f64`);
    expect(ours.length, key).toBe(truth.length);
    if (truth.every((v) => v === 0)) {
      const zeros = Array.from(ours).every((v) => v === 0);
      expect(zeros, `${key} is 0`).toBe(true);
      return;
    }
    const rule = Math.max(truth.length > 1 ? 2e-6 : 1e-4, 10 * (this.#own[key] ?? this.#own[`${key}.f64`] ?? 0));
    this.#errors.push({ key, error: relativeError(ours, truth), allowed: this.#exact ?? rule });
  }

  end(what: string): void {
    const worst = this.#errors.reduce((a, b) => (b.error / b.allowed > a.error / a.allowed ? b : a));
    console.info(`${what}: ${this.#errors.length} tensors, ${worst.key} ${worst.error.toExponential(1)}`);
    for (const { key, error, allowed } of this.#errors) expect(error, key).toBeLessThanOrEqual(allowed);
  }
}
