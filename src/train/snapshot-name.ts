/** What the name of a stored average tells. */
export interface SnapshotName {
  /** "network-snapshot": a teacher of EDM2; "snapshot": a generator of NCVSD. */
  readonly kind: string;
  /** Images seen. */
  readonly time: number;
  readonly std: number;
}

/** Snapshots are taken at multiples of this many images. */
const UNIT = 1024;

/** The reference's name of an average: thousands of images in seven digits, standard deviation in three decimals. */
export function snapshotName(kind: string, time: number, std: number): string {
  return `${kind}-${String(Math.floor(time / 1000)).padStart(7, "0")}-${std.toFixed(3)}`;
}

/** Reads such a name (a file's, without its ending); undefined for any other. */
export function parseSnapshotName(stem: string): SnapshotName | undefined {
  // The name has whole thousands: the last multiple of 1024 that they can stand for.
  const [, kind, kimg, std] = /^((?:network-)?snapshot)-(\d{7,10})-(\d\.\d{3})$/.exec(stem) ?? [];
  if (kind === undefined) return undefined;
  return { kind, time: Math.floor((1000 * Number(kimg) + 999) / UNIT) * UNIT, std: Number(std) };
}
