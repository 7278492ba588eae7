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

/** Orders that are tried beside the fixed ones; the best found so far is the start of the next. */
const TRIALS = 150;

/**
 * Packs blocks into few bytes over several arenas: first fit in several orders, and a short search from the best of
 * them with a generator of fixed seed. Optimal packing is NP-hard; this stays within some percent of the bound.
 */
export function packBlocks(blocks: readonly Block[], maxArena = Number.POSITIVE_INFINITY): Placement {
  const orders = [
    [...blocks].sort((a, b) => b.bytes - a.bytes || a.first - b.first),
    [...blocks].sort((a, b) => b.bytes * span(b) - a.bytes * span(a) || a.first - b.first),
    [...blocks].sort((a, b) => span(b) - span(a) || b.bytes - a.bytes),
    [...blocks].sort((a, b) => a.first - b.first || b.bytes - a.bytes),
  ];
  let best = firstFit(orders[0]!, maxArena);
  let bestOrder = orders[0]!;
  const consider = (order: Block[]) => {
    const placement = firstFit(order, maxArena);
    if (total(placement) > total(best)) return;
    best = placement;
    bestOrder = order;
  };
  for (const order of orders.slice(1)) consider(order);
  const bound = lowerBound(blocks);
  let state = 1;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  for (let trial = 0; trial < TRIALS && total(best) > bound; trial++) {
    const order = [...bestOrder];
    // Blocks that came late and had to enlarge an arena are tried earlier.
    for (let move = 0; move <= trial % 4; move++) {
      const [block] = order.splice(random(order.length), 1);
      if (block) order.splice(random(order.length + 1), 0, block);
    }
    consider(order);
  }
  return best;
}

function span(block: Block): number {
  return block.last - block.first + 1;
}

function total(placement: Placement): number {
  return placement.arenas.reduce((a, b) => a + b, 0);
}

function lowerBound(blocks: readonly Block[]): number {
  const at = (step: number) => blocks.reduce((sum, b) => sum + (b.first <= step && step <= b.last ? b.bytes : 0), 0);
  return Math.max(0, ...blocks.map((b) => at(b.first)));
}

/** Puts each block where it enlarges the arenas least; among equals into the lowest gap that holds it. */
function firstFit(order: readonly Block[], maxArena: number): Placement {
  const arenas: { bytes: number; users: { block: Block; offset: number }[] }[] = [];
  const places = new Map<number, { arena: number; offset: number }>();
  for (const block of order) {
    let choice = { arena: arenas.length, offset: 0, growth: block.bytes };
    arenas.forEach((arena, index) => {
      if (arena.users.some((u) => block.rivals.has(u.block.id))) return;
      const offset = lowestGap(block, arena.users);
      if (offset + block.bytes > maxArena) return;
      const growth = Math.max(0, offset + block.bytes - arena.bytes);
      if (growth < choice.growth || (growth === choice.growth && choice.arena === arenas.length)) {
        choice = { arena: index, offset, growth };
      }
    });
    if (choice.arena === arenas.length) arenas.push({ bytes: 0, users: [] });
    const arena = arenas[choice.arena]!;
    arena.bytes += choice.growth;
    arena.users.push({ block, offset: choice.offset });
    places.set(block.id, { arena: choice.arena, offset: choice.offset });
  }
  return { arenas: arenas.map((a) => a.bytes), places };
}

function lowestGap(block: Block, users: readonly { block: Block; offset: number }[]): number {
  const busy = users
    .filter((u) => u.block.first <= block.last && block.first <= u.block.last)
    .sort((a, b) => a.offset - b.offset);
  let offset = 0;
  for (const user of busy) {
    if (offset + block.bytes <= user.offset) break;
    offset = Math.max(offset, user.offset + user.block.bytes);
  }
  return offset;
}
