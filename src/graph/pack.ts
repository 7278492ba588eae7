/** Something that needs `bytes` from step `first` to step `last`. */
export interface Block {
  readonly id: number;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  /** Ids of blocks that may not lie in the same arena. */
  readonly rivals: ReadonlySet<number>;
}

export interface Placement {
  readonly arenas: number[];
  readonly places: Map<number, { arena: number; offset: number }>;
}

/** Orders that are tried beside the fixed ones. */
const TRIALS = 600;
/**
 * At most this many pairs of blocks are looked at in all trials: the search is quadratic in the blocks, and large graphs gain little
 * (four graphs of a distillation, of 1242 to 2118 blocks: 1.036 to 1.050 times what no plan can beat, and 1.035 to 1.046 with five
 * times as many pairs, in four times the time).
 */
const PAIRS = 2e8;
/** How much worse than the current plan one may be that the search goes on from. */
const WORSE = 1.02;
/** Trials without a better plan before the search goes back to the best one, or to one of the first orders. */
const PATIENCE = 25;
/** Within this factor of what no plan can beat, the search ends. */
const GOOD_ENOUGH = 1.02;

/**
 * Packs blocks into few bytes over several arenas: first fit in several orders, then a local search with a generator of
 * fixed seed: a block that lies on top of its arena is tried earlier. Optimal packing is NP-hard.
 */
export function packBlocks(blocks: readonly Block[], maxArena = Number.POSITIVE_INFINITY): Placement {
  const orders = [
    [...blocks].sort((a, b) => b.bytes - a.bytes || a.first - b.first),
    [...blocks].sort((a, b) => b.bytes * span(b) - a.bytes * span(a) || a.first - b.first),
    [...blocks].sort((a, b) => span(b) - span(a) || b.bytes - a.bytes),
    [...blocks].sort((a, b) => a.first - b.first || b.bytes - a.bytes),
  ];
  const tried = orders.map((order) => ({ order, placement: firstFit(order, maxArena)! }));
  const trials = Math.min(TRIALS, Math.ceil(PAIRS / blocks.length ** 2));
  let best = tried.reduce((a, b) => (total(b.placement) < total(a.placement) ? b : a));
  let current = best;
  const goal = mostLive(blocks) * GOOD_ENOUGH;
  let state = 1;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  let stale = 0;
  for (let trial = 0; trial < trials && total(best.placement) > goal; trial++) {
    const order = [...current.order];
    const tops = order.flatMap((block, i) => (isOnTop(block, current.placement) ? [i] : []));
    for (let move = 0; move <= random(3); move++) {
      const from = move === 0 && tops.length > 0 ? tops[random(tops.length)]! : random(order.length);
      const [block] = order.splice(from, 1);
      if (block) order.splice(random(move === 0 ? from + 1 : order.length + 1), 0, block);
    }
    const now = total(current.placement);
    const placement = firstFit(order, maxArena, WORSE * now);
    // A little worse is accepted, to leave local minima.
    if (placement && (total(placement) <= now || random(8) === 0)) current = { order, placement };
    if (total(current.placement) < total(best.placement)) {
      best = current;
      stale = 0;
    } else if (++stale % PATIENCE === 0) {
      current = random(2) === 0 ? best : tried[random(tried.length)]!;
    }
  }
  return best.placement;
}

function isOnTop(block: Block, placement: Placement): boolean {
  const place = placement.places.get(block.id)!;
  return place.offset + block.bytes === placement.arenas[place.arena];
}

function span(block: Block): number {
  return block.last - block.first + 1;
}

function total(placement: Placement): number {
  return placement.arenas.reduce((a, b) => a + b, 0);
}

/** The most bytes that are live at a time: no placement can do with less. */
export function mostLive(blocks: readonly Pick<Block, "first" | "last" | "bytes">[]): number {
  const changes = new Map<number, number>();
  for (const { first, last, bytes } of blocks) {
    changes.set(first, (changes.get(first) ?? 0) + bytes);
    changes.set(last + 1, (changes.get(last + 1) ?? 0) - bytes);
  }
  let [live, most] = [0, 0];
  for (const [, change] of [...changes].sort((a, b) => a[0] - b[0])) {
    live += change;
    most = Math.max(most, live);
  }
  return most;
}

interface Arena {
  bytes: number;
  /** By offset. */
  readonly users: { readonly block: Block; readonly offset: number }[];
}

/**
 * Puts each block where it enlarges the arenas least; among equals into the lowest gap that holds it.
 * @returns undefined as soon as the arenas have `limit` bytes or more
 */
function firstFit(order: readonly Block[], maxArena: number, limit = Number.POSITIVE_INFINITY): Placement | undefined {
  const arenas: Arena[] = [];
  let bytes = 0;
  const places = new Map<number, { arena: number; offset: number }>();
  for (const block of order) {
    const forbidden = new Set<number | undefined>();
    for (const rival of block.rivals) forbidden.add(places.get(rival)?.arena);
    let choice = { arena: arenas.length, offset: 0, growth: block.bytes };
    for (const [index, arena] of arenas.entries()) {
      if (forbidden.has(index)) continue;
      const offset = lowestGap(block, arena);
      if (offset + block.bytes > maxArena) continue;
      const growth = Math.max(0, offset + block.bytes - arena.bytes);
      if (growth < choice.growth || (growth === choice.growth && choice.arena === arenas.length)) {
        choice = { arena: index, offset, growth };
      }
    }
    if (choice.arena === arenas.length) arenas.push({ bytes: 0, users: [] });
    const arena = arenas[choice.arena]!;
    arena.bytes += choice.growth;
    bytes += choice.growth;
    if (bytes >= limit) return undefined;
    insert(arena, block, choice.offset);
    places.set(block.id, { arena: choice.arena, offset: choice.offset });
  }
  return { arenas: arenas.map((a) => a.bytes), places };
}

function lowestGap(block: Block, { users }: Arena): number {
  let offset = 0;
  for (const { block: user, offset: start } of users) {
    if (user.first > block.last || block.first > user.last) continue;
    if (offset + block.bytes <= start) break;
    offset = Math.max(offset, start + user.bytes);
  }
  return offset;
}

/** Behind the users of lower or the same offsets. */
function insert({ users }: Arena, block: Block, offset: number): void {
  let [low, high] = [0, users.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (users[middle]!.offset <= offset) low = middle + 1;
    else high = middle;
  }
  users.splice(low, 0, { block, offset });
}
