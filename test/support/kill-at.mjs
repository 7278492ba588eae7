// Loaded before a program (`node --import`): ends it with SIGKILL at its n-th change of the file system (NCVSD_KILL_AT), a write
// in its middle. NCVSD_KILL_COUNT names a file that gets the number of changes when nobody is killed. NCVSD_FULL_AT: from the n-th
// change on the disk is full, a write that finds it so ends in its middle.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const at = Number(process.env.NCVSD_KILL_AT ?? 0);
const full = Number(process.env.NCVSD_FULL_AT ?? 0);
const WRITES = ["writeSync", "writeFileSync", "mkdirSync"];
const { writeSync, writeFileSync } = fs;
let count = 0;

function die() {
  process.kill(process.pid, "SIGKILL");
  for (;;);
}

for (const name of [
  "openSync",
  "closeSync",
  "writeSync",
  "writeFileSync",
  "fsyncSync",
  "renameSync",
  "linkSync",
  "mkdirSync",
  "rmdirSync",
  "rmSync",
  "utimesSync",
]) {
  const real = fs[name];
  fs[name] = (...args) => {
    if (++count === at) {
      if (name === "writeSync" && args[1].length > 1) writeSync(args[0], args[1].subarray(0, args[1].length >> 1));
      die();
    }
    if (full > 0 && count >= full && WRITES.includes(name)) {
      if (name === "writeSync" && args[1].length > 1) writeSync(args[0], args[1].subarray(0, args[1].length >> 1));
      throw Object.assign(new Error(`ENOSPC: no space left on device, ${name.replace("Sync", "")}`), {
        code: "ENOSPC",
      });
    }
    return real(...args);
  };
}
syncBuiltinESMExports();

const file = process.env.NCVSD_KILL_COUNT;
if (file !== undefined) process.on("exit", () => writeFileSync(file, String(count)));
