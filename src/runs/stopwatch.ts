/** Times of the start-up's parts in seconds, for `--verbose`. */
export class Stopwatch {
  readonly parts: Record<string, number> = {};
  #last = performance.now();

  lap(name: string): void {
    const now = performance.now();
    this.parts[name] = (now - this.#last) / 1000;
    this.#last = now;
  }

  toString(): string {
    return Object.entries(this.parts)
      .map(([name, seconds]) => `${name} ${seconds.toFixed(2)} s`)
      .join(", ");
  }
}
