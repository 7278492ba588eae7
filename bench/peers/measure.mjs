import { makeTask, referenceResult, relativeError } from "./data.mjs";
import { ContenderProcess } from "./process.mjs";
import { TOLERANCE } from "./rows.mjs";

/**
 * What one contender did in one row: times of single runs in milliseconds, or why there are none.
 * @typedef {{ times: number[], error: number | null, failure: string | null }} Cell
 */

const seconds = (ms) => `${(ms / 1000).toFixed(0)} s`;

/** Opens contenders one after the other. @returns the ones that started, and why the others did not */
export async function openAll(contenders, say) {
  const opened = [];
  const failures = new Map();
  for (const contender of contenders) {
    const process = new ContenderProcess(contender);
    try {
      await process.ask("open");
      opened.push(process);
    } catch (error) {
      failures.set(contender.name, missing(error) ? "not installed" : error.message);
      say(`${contender.name} does not start: ${failures.get(contender.name)}`);
      process.close();
    }
  }
  return { opened, failures };
}

const missing = ({ message }) => /Cannot find (package|module)/.test(message);

/**
 * One row: every contender prepares it and is checked against float64; those that are right then take turns, so that whatever
 * else happens on the machine meets all of them. The order moves on by one from round to round.
 * @param {import("./rows.mjs").Row} row @param {ContenderProcess[]} contenders ncvsd-gpu first
 */
export async function measureRow(row, contenders, rounds, say) {
  const started = performance.now();
  const reference = referenceResult(await makeTask(row));
  /** @type {Map<string, Cell>} */
  const cells = new Map();
  const adapters = new Map();
  let running = [];
  for (const contender of contenders) {
    const cell = { times: [], error: null, failure: null };
    cells.set(contender.name, cell);
    try {
      const { output, adapter, prepareMs, firstMs } = await contender.ask("prepare", { row: row.id });
      say(`${row.title}: ${contender.name} is ready after ${seconds(prepareMs + firstMs)}`);
      adapters.set(contender.name, adapter);
      cell.error = relativeError(output, reference);
      if (cell.error > TOLERANCE) cell.failure = `wrong (error ${cell.error.toExponential(0)})`;
      else running.push(contender);
    } catch (error) {
      cell.failure = error.message;
    }
    if (cell.failure) say(`${row.title}: ${contender.name} ${cell.failure}`);
  }
  const prepared = performance.now();
  let peaks = { fma: 0, copy: 0 };
  for (let round = 0; round < rounds; round++) {
    for (const contender of [...running]) {
      try {
        cells.get(contender.name).times.push(...(await contender.ask("turn")));
      } catch (error) {
        cells.get(contender.name).failure = error.message;
        running = running.filter((each) => each !== contender);
      }
    }
    running.push(...running.splice(0, 1));
    peaks = await contenders[0].ask("peaks").catch((error) => {
      throw new Error(`${contenders[0].name}: ${error.message}`);
    });
  }
  say(`${row.title}: ${seconds(prepared - started)} to prepare, ${seconds(performance.now() - prepared)} to measure`);
  for (const contender of contenders) if (contender.alive) await contender.ask("release").catch(() => {});
  return { row, cells, peaks, adapters };
}

/** The first evaluation of a row by a process of its own without the driver's cache of compiled pipelines. Milliseconds. */
export async function coldStart(contender, row) {
  const process = new ContenderProcess(contender, { MESA_SHADER_CACHE_DISABLE: "true" });
  try {
    await process.ask("open");
    const { prepareMs, firstMs } = await process.ask("prepare", { row });
    return { name: contender.name, prepareMs, firstMs, failure: null };
  } catch (error) {
    return { name: contender.name, prepareMs: null, firstMs: null, failure: error.message };
  } finally {
    process.close();
  }
}
