import { role } from "../../kernels/lib/bank-rows.js";
import { gainGradients } from "../../kernels/training/gain-gradients/kernel.js";
import { rowGradients } from "../../kernels/training/row-gradients/kernel.js";
import { rowScales } from "../../kernels/training/row-scales/kernel.js";
import type { Gpu } from "../gpu/device.js";
import type { Program, Region } from "../graph/program.js";
import { stage } from "../graph/stage.js";
import type { Trained } from "../layers/trained.js";
import type { Bank } from "./bank.js";
import type { BankRows } from "./bank-rows.js";

/** A network of a graph: its layers, and the rows of its stored tensors. */
export interface StoredLayers {
  readonly layers: Trained;
  readonly rows: BankRows;
}

/**
 * What the rows of a network's weights are multiplied by in one graph, made before each run, and what leads from its gradients of
 * effective weights to those of stored ones: few dispatches over all rows in place of nodes for each weight.
 */
export class RowStages {
  readonly #rows: BankRows;
  readonly #scales: Program;
  readonly #gradients: readonly Program[];
  /** Externals of the graph: the scales of each weight that it has. */
  readonly externals: readonly (readonly [string, Region])[];
  readonly #owned: { destroy(): void }[];

  private constructor(
    rows: BankRows,
    scales: Program,
    gradients: readonly Program[],
    externals: readonly (readonly [string, Region])[],
    owned: { destroy(): void }[],
  ) {
    this.#rows = rows;
    this.#scales = scales;
    this.#gradients = gradients;
    this.externals = externals;
    this.#owned = owned;
  }

  /** @param round where gradients of effective weights are to become those of stored ones; absent: nowhere */
  static async create(gpu: Gpu, { layers, rows }: StoredLayers, round?: Bank): Promise<RowStages> {
    const { table, bank } = rows;
    const owned: { destroy(): void }[] = [];
    const own = <T extends { destroy(): void }>(item: T): T => {
      owned.push(item);
      return item;
    };
    const buffer = (name: string, bytes: number) => {
      const made = gpu.storage(name, bytes);
      own({ destroy: () => gpu.destroyBuffer(made) });
      return made;
    };
    try {
      const roles = buffer("roles of rows", 8 * table.rows);
      gpu.write(roles, rolesOf(layers, rows));
      const scales = buffer("scales of rows", 4 * table.places);
      const known = { table: rows.tableBuffer, roles, state: rows.state };
      const sizes = { rows: table.rows, places: table.places };
      const program = own(await stage(gpu, "row-scales", rowScales, sizes, { ...known, scales }));
      const externals = [...layers.weights].map(([name, { scale }]) => {
        const offset = 4 * table.placeOf.get(name)!;
        return [scale.name, { buffer: scales, offset, size: 16 * Math.ceil(scale.length / 4) }] as const;
      });
      const gradients: Program[] = [];
      if (round) {
        const dgain = buffer("gradients of gains by row", 4 * table.places);
        for (const { part, range, weights } of table.ranges) {
          if (!weights) continue;
          const buffers = { ...known, w: bank.region(part), g: round.region(part), dgain };
          const params = { ...range, places: table.places };
          gradients.push(own(await stage(gpu, "row-gradients", rowGradients, params, buffers)));
        }
        for (const { part } of table.ranges.filter(({ weights }) => !weights)) {
          const list = gainsIn(layers, rows, part);
          if (list.length === 0) continue;
          const gains = buffer("gains", 4 * list.length);
          gpu.write(gains, Uint32Array.from(list));
          const params = { elements: part.elements, count: list.length / 4, places: table.places };
          const buffers = { gains, dgain, g: round.region(part) };
          gradients.push(own(await stage(gpu, "gain-gradients", gainGradients, params, buffers)));
        }
      }
      return new RowStages(rows, program, gradients, externals, owned);
    } catch (error) {
      for (const item of owned.reverse()) item.destroy();
      throw error;
    }
  }

  /** Before the graph runs. */
  async scale(): Promise<void> {
    await this.#rows.refresh?.();
    await this.#scales.run();
  }

  /** After it. */
  async finish(): Promise<void> {
    for (const program of this.#gradients) await program.run();
  }

  get programs(): readonly Program[] {
    return [this.#scales, ...this.#gradients];
  }

  destroy(): void {
    for (const item of this.#owned) item.destroy();
  }
}

/** Constants and gains of all rows; those of weights that the graph lacks have neither. */
function rolesOf({ weights }: Trained, { table, bank }: BankRows): Uint32Array<ArrayBuffer> {
  const roles = new Uint32Array(2 * table.rows);
  for (const [name, { factor, gain }] of weights) {
    const constant = factor / Math.sqrt(bank.layout.entry(name).rowLength);
    const gainRow = gain === undefined ? undefined : table.rowsOf.get(gain)![0];
    for (const row of table.rowsOf.get(name)!) roles.set(role(constant, gainRow), 2 * row);
  }
  return roles;
}

/** The gains that lie in a part, as `gain-gradients` reads them. */
function gainsIn(
  { weights }: Trained,
  { table, bank }: BankRows,
  { first, elements }: { first: number; elements: number },
) {
  const list: number[] = [];
  for (const [name, { gain, scale }] of weights) {
    if (gain === undefined) continue;
    const place = bank.layout.entry(gain).offset - first;
    if (place >= 0 && place < elements) list.push(table.placeOf.get(name)!, scale.length, place, 0);
  }
  return list;
}
