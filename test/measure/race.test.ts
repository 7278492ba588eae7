/** Who wins when choices are timed in turns, and what of it is kept. */
import { describe, expect, it } from "vitest";
import { type Comparison, judge, merged, report, without } from "../../src/cli/bench/tune.js";
import { type Contender, race } from "../../src/measure/race.js";
import type { TuneRow } from "../../src/measure/tuner.js";

/** A clock that contenders move on: each turn takes the next of its times, the last one for ever. */
function table(times: Record<string, number[]>) {
  let clock = 0;
  const turns: string[] = [];
  const contenders = Object.entries(times).map(
    ([choice, list]): Contender => ({
      choice,
      async time() {
        const ms = list[Math.min(turns.filter((t) => t === choice).length, list.length - 1)]!;
        turns.push(choice);
        clock += ms;
        return ms;
      },
    }),
  );
  return { contenders, turns, now: () => clock };
}

const run = ({ contenders, now }: ReturnType<typeof table>, expired = () => false) => race(contenders, expired, now);

describe("race", () => {
  it("the fastest wins when it beats the first by the margin", async () => {
    const result = await run(table({ own: [10], slower: [11], fast: [9], fastest: [8] }));
    expect(result).toEqual({
      winner: "fastest",
      times: [
        { choice: "own", ms: 10 },
        { choice: "slower", ms: 11 },
        { choice: "fast", ms: 9 },
        { choice: "fastest", ms: 8 },
      ],
    });
  });

  it("the first keeps its place against less than the margin, and against one lucky time", async () => {
    expect((await run(table({ own: [10], other: [9.6] })))?.winner).toBe("own");
    expect((await run(table({ own: [10], other: [9.5] })))?.winner).toBe("other");
    expect((await run(table({ own: [10], other: [12, 5, 12] })))?.winner).toBe("own");
    expect((await run(table({ own: [10, 50, 50], other: [20, 11, 11] })))?.winner).toBe("own");
  });

  it("takes turns, every other round the other way; who is hopeless leaves after two rounds", async () => {
    const game = table({ own: [100], other: [90], slow: [131] });
    await run(game);
    expect(game.turns).toEqual(
      "own other slow slow other own own other other own own other".split(" ").filter((_, i) => i < game.turns.length),
    );
    expect(game.turns.filter((t) => t === "slow")).toHaveLength(2);
    expect(game.turns.filter((t) => t === "own")).toHaveLength(5);
  });

  it("short work gets more rounds, but not for ever; alone, the first is timed and done with", async () => {
    const short = table({ own: [1], other: [1] });
    await run(short);
    expect(short.turns).toHaveLength(50);
    const alone = table({ own: [5, 3, 4, 1] });
    expect(await run(alone)).toEqual({ winner: "own", times: [{ choice: "own", ms: 3 }] });
    expect(alone.turns).toHaveLength(3);
  });

  it("when the time is up too early, nothing is known", async () => {
    const early = table({ own: [10], other: [5] });
    expect(await run(early, () => early.now() >= 40)).toBeUndefined();
    expect(early.now()).toBeLessThan(60);
    const late = table({ own: [10], other: [5] });
    expect((await run(late, () => late.now() >= 75))?.winner).toBe("other");
    expect(late.turns).toHaveLength(10);
  });
});

const row = (key: string, choice: string, more: Partial<TuneRow> = {}): TuneRow => {
  return { key, uses: 2, own: "own", ownMs: 2, choice, ms: 1, rejected: [], measured: true, ...more };
};
const gpu = { info: { name: "A GPU" }, precision: "f32" } as Parameters<typeof judge>[0];
const faster: Comparison = { batch: 16, untunedMs: 10, tunedMs: 9, gain: 10 / 9, medianGain: 1.05, difference: 1e-6 };

describe("what is kept", () => {
  it("new choices replace those of the same name, and leave other networks' alone", () => {
    const earlier = new Map(Object.entries({ other: "x", again: "x", back: "x", missed: "x" }));
    const rows = [row("again", "y"), row("new", "z"), row("back", "own"), row("missed", "own", { measured: false })];
    const choices = merged(earlier, rows);
    expect(Object.fromEntries(choices)).toEqual({ other: "x", again: "y", new: "z", missed: "x" });
    expect(Object.fromEntries(without(choices, rows))).toEqual({ other: "x" });
    expect(earlier.get("again")).toBe("x");
  });

  it("nothing, when the whole network is not faster both by the least times and by the median", () => {
    expect(judge(gpu, [row("a", "b")], [faster])).toEqual({ keep: true, note: "" });
    for (const worse of [
      { ...faster, gain: 1 },
      { ...faster, medianGain: 0.99 },
    ]) {
      const verdict = judge(gpu, [row("a", "b")], [worse]);
      expect(verdict).toEqual({ keep: false, note: "the network as a whole is not faster: nothing of it is kept" });
    }
    const nothing = judge(gpu, [row("a", "own")], []);
    expect(nothing).toEqual({
      keep: true,
      note: expect.stringMatching(/the cost models' choices are the fastest here$/),
    });
  });

  it("nothing, when one image alone would take longer", () => {
    const alone = { ...faster, batch: 1 };
    expect(judge(gpu, [row("a", "b")], [faster, alone]).keep).toBe(true);
    // One of two figures may be chance.
    expect(judge(gpu, [row("a", "b")], [faster, { ...alone, gain: 0.9 }]).keep).toBe(true);
    const slower = judge(gpu, [row("a", "b")], [faster, { ...alone, gain: 0.96, medianGain: 0.96 }]);
    expect(slower).toEqual({ keep: false, note: "the network as a whole is slower at batch 1: nothing of it is kept" });
  });

  it("nothing, and an error, when results differ or the cost model's own choice computes wrongly", () => {
    for (const difference of [1e-3, Number.POSITIVE_INFINITY]) {
      const { keep, error } = judge(gpu, [row("a", "b")], [faster, { ...faster, difference }]);
      expect(keep).toBe(false);
      expect(error).toMatchObject({
        code: "NOT_FINITE",
        message: expect.stringMatching(/differs .* on A GPU: no choice/),
      });
    }
    const reason = "off by 1.0e+0 in a";
    const wrong = row("a", "b", { rejected: [{ choice: "own", reason, wrong: true }] });
    expect(judge(gpu, [wrong], [faster])).toMatchObject({ keep: false, error: { code: "NOT_FINITE" } });
    const other = row("a", "b", { rejected: [{ choice: "c", reason, wrong: true }] });
    expect(judge(gpu, [other], [faster])).toEqual({ keep: true, note: "" });
  });

  it("the report has 80 columns and tells what was not reached and what was rejected", () => {
    const long = "gemm 36x[1024x1024] n=4096 act scale_silu";
    const reason = "off by 1.0e+0";
    const lines = report({
      adapter: "A GPU",
      precision: "f16-weights",
      net: "net.safetensors",
      batch: 16,
      spent: 12.3,
      rows: [
        row(long, "tiled 128x128", { ownMs: 123.456, ms: 0.123, own: "subgroup 32x2", uses: 120 }),
        row("conv 3x3 8>8 @4x4", "own", { ms: 2, rejected: [{ choice: "c", reason, wrong: true }] }),
        row("late", "own", { measured: false, ownMs: null, ms: null }),
      ],
      networks: [{ ...faster, untunedMs: 1234.567, tunedMs: 1123.456 }],
      note: "",
      stored: { file: "/cache/f.json", choices: 3 },
    });
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    const text = lines.join("\n");
    expect(text).toMatch(/^measured +2 of 3 layers and loops at batch 16, 12 s$/m);
    expect(text).toMatch(/^not reached +1: /m);
    expect(text).toMatch(/^gemm 36x.* 120 subgroup 32x2 123\.5 tiled 128x128 +0\.12 1004$/m);
    expect(text).toMatch(/^conv 3x3 8>8 @4x4 +2 own +2\.00 the same$/m);
    expect(text).not.toMatch(/^late/m);
    expect(text).toMatch(/^rejected +conv 3x3 8>8 @4x4: c: off by 1\.0e\+0$/m);
    expect(text).toMatch(/^stored +3 choices in \/cache\/f\.json$/m);
  });
});
