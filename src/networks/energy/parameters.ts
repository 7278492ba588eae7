import { frequencies } from "../../../kernels/lib/sinusoid.js";
import { packedDepth } from "../../../kernels/network/gemm/reference.js";
import { gemmWeightLength } from "../../../kernels/network/gemm/weight.js";
import { packWeight } from "../../../kernels/network/pack-weight/kernel.js";
import { bad } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { Graph } from "../../graph/graph.js";
import { Program, type Region } from "../../graph/program.js";
import { SharedBuffers } from "../../graph/shared-buffers.js";
import { type DiscoConfig, discoTensors } from "./config.js";

export interface Place {
  readonly shape: readonly number[];
  /** First value in the bank, and how many. */
  readonly offset: number;
  readonly length: number;
}

/** Parameters begin at multiples of this many values: 256 bytes, so that each can be bound by itself on any adapter. */
const ALIGNMENT = 64;

/** Where every parameter of a network lies in a flat bank, in the order of a weight file; padding between them is 0. */
export class EnergyLayout {
  readonly places: ReadonlyMap<string, Place>;
  /** Values of a bank, padding included: a multiple of 64. */
  readonly elements: number;

  constructor(config: DiscoConfig) {
    let offset = 0;
    this.places = new Map(
      Array.from(discoTensors(config), ([name, shape]) => {
        const place = { shape, offset, length: shape.reduce((a, b) => a * b, 1) };
        offset += Math.ceil(place.length / ALIGNMENT) * ALIGNMENT;
        return [name, place];
      }),
    );
    this.elements = offset;
  }

  place(name: string): Place {
    const place = this.places.get(name);
    if (!place) throw new Error(`no parameter ${name}`);
    return place;
  }

  /** Tensors to a bank. */
  flatten(tensors: ReadonlyMap<string, Float32Array>): Float32Array<ArrayBuffer> {
    const bank = new Float32Array(this.elements);
    for (const [name, { offset }] of this.places) bank.set(tensors.get(name)!, offset);
    return bank;
  }

  /** A bank to its tensors. */
  tensors(bank: Float32Array): Map<string, Float32Array> {
    return new Map(
      Array.from(this.places, ([name, { offset, length }]) => [name, bank.slice(offset, offset + length)]),
    );
  }

  /** Where a parameter lies in a bank's buffer. */
  region(bank: GPUBuffer, name: string): Region {
    const { offset, length } = this.place(name);
    return { buffer: bank, offset: 4 * offset, size: 4 * Math.ceil(length / 4) * 4 };
  }
}

/** Names of the layers, each with `.weight` and `.bias`. */
export const layersOf = ({ blocks }: DiscoConfig): string[] => [
  "in",
  ...Array.from({ length: blocks }, (_, i) => [`blocks.${i}.fc0`, `blocks.${i}.fc1`]).flat(),
  "out",
];

/**
 * The parameters of a network on a device, by the names that the passes' graphs give their external tensors: the flat bank, every
 * layer's weight packed for products with it and with its transpose, and the frequencies of the features. `repack` records what brings
 * the packed weights up to date.
 */
export class EnergyParameters extends SharedBuffers {
  readonly config: DiscoConfig;
  readonly layout: EnergyLayout;
  readonly bank: GPUBuffer;
  #packing: Program | undefined;

  private constructor(gpu: Gpu, config: DiscoConfig) {
    super(gpu, "The disco-mlp network", () => this.#packing?.destroy());
    this.config = config;
    this.layout = new EnergyLayout(config);
    this.bank = this.#own("bank", this.layout.elements);
  }

  /**
   * @param tensors values by name, written and packed at once
   * @throws BAD_ARGUMENT on a device opened for another precision than f32
   */
  static async create(
    gpu: Gpu,
    config: DiscoConfig,
    tensors: ReadonlyMap<string, Float32Array>,
  ): Promise<EnergyParameters> {
    if (gpu.precision !== "f32")
      throw bad(
        `A disco-mlp network computes in f32, and this GPU was opened for ${gpu.precision}: open it with precision f32.`,
      );
    const parameters = new EnergyParameters(gpu, config);
    try {
      await parameters.#prepare();
      await parameters.load(parameters.layout.flatten(tensors));
      return parameters;
    } catch (error) {
      parameters.destroy();
      throw error;
    }
  }

  #own(name: string, elements: number): GPUBuffer {
    const buffer = this.gpu.storage(`disco ${name}`, 4 * elements);
    this.buffers.set(name, buffer);
    return buffer;
  }

  async #prepare(): Promise<void> {
    const { gpu, config, layout, bank } = this;
    const graph = new Graph();
    const externals = new Map<string, GPUBuffer | Region>();
    for (const layer of layersOf(config)) {
      const name = `${layer}.weight`;
      const [outChannels, inChannels] = layout.place(name).shape as [number, number];
      const w = graph.external(name, [outChannels, inChannels]);
      externals.set(name, layout.region(bank, name));
      for (const transposed of [false, true]) {
        const [rows, deep] = transposed ? [inChannels, outChannels] : [outChannels, inChannels];
        const packed = packedName(layer, transposed);
        const y = graph.external(packed, [gemmWeightLength(1, rows, deep)], "weight");
        const params = {
          outChannels,
          inChannels,
          taps: 1,
          transposed,
          layout: "groups" as const,
          depth: packedDepth(deep),
        };
        graph.run(packed, packWeight, params, { w }, { y });
        externals.set(packed, this.#own(packed, y.length));
      }
    }
    const widths = [config.embed, ...(config.conditional ? [config.width / 2] : [])];
    for (const embed of new Set(widths)) {
      const q = frequencies(embed);
      gpu.write(this.#own(frequencyName(embed), q.length), q);
    }
    this.#packing = await Program.create(gpu, { label: "packing of disco-mlp weights", graph, externals });
  }

  /** Writes a bank and packs it. */
  async load(bank: Float32Array): Promise<void> {
    this.gpu.write(this.bank, bank);
    await this.#packing!.run();
  }

  /** Records the packing of the bank as it then is. */
  repack(pass: GPUComputePassEncoder): void {
    this.#packing!.encode(pass);
  }
}

/** External tensors of the passes' graphs. */
export const packedName = (layer: string, transposed: boolean) => `${layer}.packed${transposed ? ".transposed" : ""}`;
export const frequencyName = (embed: number) => `frequencies ${embed}`;
