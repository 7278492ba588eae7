/**
 * WGSL of the value that one lane holds, in all lanes. Eight lanes are a processor's vector: there a shuffle is one
 * permutation, where a broadcast is two and a masked move (bench/NOTES.md). The bits are the same.
 */
export function handRound(lanes: number, value: string, lane: number): string {
  return `${lanes === 8 ? "subgroupShuffle" : "subgroupBroadcast"}(${value}, ${lane}u)`;
}
