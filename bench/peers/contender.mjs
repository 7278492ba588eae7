/**
 * The process of one contender: does what run.mjs asks for, one thing at a time.
 * Requests { id, do, ... } get { id, value } or { id, error }.
 */
import { makeTask } from "./data.mjs";
import { ROWS } from "./rows.mjs";

/** A turn lasts this long, or one run where that takes longer. */
const TURN_MS = 60;
const MOST_RUNS = 5;

const [file] = process.argv.slice(2);
let contender;
let prepared;

async function timed(action) {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

const actions = {
  async open() {
    contender = await (await import(`./contenders/${file}.mjs`)).open();
    return { tunedChoices: contender.tunedChoices };
  },

  /** Everything up to the first result, and that result. */
  async prepare({ row: id }) {
    const row = ROWS.find((each) => each.id === id);
    const task = await makeTask(row);
    const prepareMs = await timed(async () => {
      prepared = await contender.prepare(row, task);
    });
    const firstMs = await timed(() => prepared.run());
    return { prepareMs, firstMs, output: await prepared.output(), adapter: contender.adapter };
  },

  /** One run that is not counted, since another contender had the caches, then the counted ones, in milliseconds. */
  async turn() {
    await prepared.run();
    const times = [];
    const end = performance.now() + TURN_MS;
    do times.push(await timed(() => prepared.run()));
    while (times.length < MOST_RUNS && performance.now() < end);
    return times;
  },

  peaks: () => contender.peaks(),

  async release() {
    await prepared?.release();
    prepared = undefined;
  },
};

process.on("message", async (request) => {
  try {
    process.send({ id: request.id, value: await actions[request.do](request) });
  } catch (error) {
    process.send({ id: request.id, error: error instanceof Error ? error.message : String(error) });
  }
});
process.on("disconnect", () => process.exit(0));
