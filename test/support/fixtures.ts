import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Checkpoint, openCheckpoint } from "../../src/checkpoint/index.js";
import { relativeError } from "../../src/graph/run-kernel.js";

export { relativeError };

export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/** The bundled checkpoints. */
export function weightsPath(name: string): string {
  return fileURLToPath(new URL(`../../weights/${name}`, import.meta.url));
}

/** A recorded case: tensors by name, and the JSON of its metadata. */
export class Recording {
  readonly checkpoint: Checkpoint;

  private constructor(checkpoint: Checkpoint) {
    this.checkpoint = checkpoint;
  }

  static async open(name: string): Promise<Recording> {
    return new Recording(await openCheckpoint(new Uint8Array(readFileSync(fixturePath(name)))));
  }

  get names(): string[] {
    return [...this.checkpoint.tensors.keys()];
  }

  has(name: string): boolean {
    return this.checkpoint.tensors.has(name);
  }

  shape(name: string): readonly number[] {
    return this.checkpoint.tensors.get(name)!.shape;
  }

  async values(name: string): Promise<Float32Array> {
    return this.checkpoint.readF32(name);
  }

  /** The float64 recomputation where there is one, rounded to f32 (its rounding is far below every tolerance here). */
  async truth(name: string): Promise<Float32Array> {
    return this.values(this.has(`${name}.f64`) ? `${name}.f64` : name);
  }

  meta<T>(key: string): T | undefined {
    const text = this.checkpoint.metadata[key];
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }
}

/** Recorded noise in the reference's order: noise.init first where there is one. */
export async function recordedNoise(
  recording: Recording,
  withInit: boolean,
): Promise<(draw: number, length: number) => Float32Array> {
  const draws: Float32Array[] = [];
  if (withInit) draws.push(await recording.values("noise.init"));
  for (let k = 0; recording.has(`noise.${k}`); k++) draws.push(await recording.values(`noise.${k}`));
  return (draw) => {
    const values = draws[draw];
    if (!values) throw new Error(`the reference made ${draws.length} draws, draw ${draw} was asked for`);
    return values;
  };
}
