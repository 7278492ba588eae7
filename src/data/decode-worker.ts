import { parentPort } from "node:worker_threads";
import { NcvsdError } from "../errors.js";
import { decodeItem } from "./decode-item.js";
import type { DecodeAnswer, DecodeTask } from "./decode-pool.js";

/** A thread of a pool: decodes what it is sent, in that order. */
parentPort?.on("message", async ({ id, bytes, where }: DecodeTask) => {
  let answer: DecodeAnswer;
  const moved: ArrayBuffer[] = [];
  try {
    const item = await decodeItem(bytes, where);
    moved.push(item.values.buffer as ArrayBuffer);
    answer = { id, item };
  } catch (error) {
    const { message } = error as Error;
    // Errors do not keep their class on the way.
    answer = { id, message, damaged: error instanceof NcvsdError };
  }
  parentPort!.postMessage(answer, moved);
});
