// What a run of a particle sampler carries on the GPU, RUN numbers for each run (kernels/lib/run-state.ts has the same list):
// its inverse temperature beta, the last increment of it, the log evidence so far, the step size of the leapfrog, the sum of
// the weights, the number of its present temperature (0 for the first), whether it had ended before this temperature, and
// whether this increment is its last.
const BETA: u32 = 0u;
const DELTA: u32 = 1u;
const LOG_Z: u32 = 2u;
const STEP: u32 = 3u;
const TOTAL: u32 = 4u;
const COUNT: u32 = 5u;
const DONE: u32 = 6u;
const LAST: u32 = 7u;
const RUN: u32 = 8u;
