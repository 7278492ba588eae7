import { describe, expect, test } from "vitest";
import { NcvsdError } from "../../src/errors.js";
import {
  formatSeeds,
  parseInteger,
  parseNumber,
  parsePrecision,
  parseSeeds,
  parseTs,
  parseZeta,
} from "../../src/runs/args.js";
import { className, drawnClass, labelsForSeeds, parseClass, parseClasses } from "../../src/runs/labels.js";

/** The message of a BAD_ARGUMENT; it is one line and names the option. */
function refusal(option: string, act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(NcvsdError);
    const { code, message } = error as NcvsdError;
    expect(code).toBe("BAD_ARGUMENT");
    expect(message.startsWith(option)).toBe(true);
    expect(message).not.toContain("\n");
    expect(message.length).toBeLessThan(500);
    return message;
  }
  throw new Error("was not refused");
}

describe("--seeds", () => {
  test.each([
    ["7", [7]],
    ["0-3,100", [0, 1, 2, 3, 100]],
    ["5,3,5,1-4", [5, 3, 1, 2, 4]],
    ["0 - 2, 9", [0, 1, 2, 9]],
    ["4294967295", [4294967295]],
    ["007", [7]],
    ["3-3", [3]],
  ])("%s", (text, seeds) => expect(parseSeeds(text)).toEqual(seeds));

  test.each([
    ["", /empty entry/],
    ["1,,2", /empty entry/],
    ["1,", /empty entry/],
    ["abc", /"abc" is no seed; must be whole numbers and ranges such as 0-63,100/],
    ["1.5", /"1.5" is no seed/],
    ["1-2-3", /"1-2-3" is no seed/],
    ["1e3", /no seed/],
    ["0x10", /no seed/],
    ["-4", /cannot be negative/],
    ["9-4", /runs upwards; write 4-9/],
    ["4294967296", /largest seed is 4294967295/],
    ["99999999999999999999", /largest seed is 4294967295/],
    ["0-4294967295", /more than 1000000 seeds/],
    [Array(3000).fill("0-999").join(","), /more than 1000000 seeds/],
    ["x".repeat(5000), /no seed/],
  ])("%.20s is refused", (text, words) => expect(refusal("--seeds", () => parseSeeds(text))).toMatch(words));

  test("a million seeds is the most, and no more", () => {
    expect(parseSeeds("0-999999")).toHaveLength(1_000_000);
    refusal("--seeds", () => parseSeeds("0-1000000"));
  });

  test("formatSeeds writes the shortest list that parses to the same seeds", () => {
    expect(formatSeeds([100, 2, 0, 1, 1])).toBe("0-2,100");
    expect(formatSeeds([])).toBe("");
    expect(parseSeeds(formatSeeds([9, 7, 8, 3]))).toEqual([3, 7, 8, 9]);
  });
});

describe("--ts", () => {
  test.each([
    ["10,22", [10, 22]],
    ["10,22,39", [10, 22]],
    ["0", [0]],
    ["38", [38]],
    ["38,39", [38]],
    ["0, 10 ,20", [0, 10, 20]],
  ])("%s", (text, ts) => expect(parseTs(text)).toEqual(ts));

  test.each([
    ["", /empty entry/],
    ["39", /names no level/],
    ["10,,22", /empty entry/],
    ["40", /40 is out of range; must be whole numbers from 0 to 38, strictly increasing/],
    ["10,39,39", /39 is out of range/],
    ["39,10", /39 is out of range/],
    ["-1", /"-1" is no index/],
    ["1.5", /"1.5" is no index/],
    ["ten", /"ten" is no index/],
    ["22,10", /10 follows 22; must be .* strictly increasing/],
    ["10,10", /10 follows 10/],
  ])("%s is refused", (text, words) => expect(refusal("--ts", () => parseTs(text))).toMatch(words));
});

describe("numbers", () => {
  test("zeta lies in [0, 1]", () => {
    expect(["0", "1", "0.25", ".5", "5e-1", "1.0"].map((text) => parseZeta(text))).toEqual([0, 1, 0.25, 0.5, 0.5, 1]);
    for (const text of ["-0.1", "1.01", "", "half", "nan", "inf", "1,5", "0.5x", " "]) {
      expect(refusal("--zeta", () => parseZeta(text))).toMatch(/must be a number from 0 to 1/);
    }
  });

  test("bounds are said as they are", () => {
    expect(refusal("--rho", () => parseNumber("0", "--rho", { above: 0 }))).toMatch(/must be a number above 0$/);
    expect(refusal("--n", () => parseNumber("9", "--n", { above: 0, max: 8 }))).toMatch(/above 0 and up to 8$/);
    expect(refusal("--n", () => parseNumber("9", "--n", { max: 8 }))).toMatch(/up to 8$/);
    expect(refusal("--steps", () => parseInteger("0", "--steps", { min: 1 }))).toMatch(/a whole number from 1 on$/);
    expect(refusal("--steps", () => parseInteger("2.5", "--steps", { min: 1, max: 9 }))).toMatch(/from 1 to 9$/);
    refusal("--steps", () => parseInteger("99999999999999999999", "--steps"));
    expect(parseInteger("+12", "--steps", { min: 1 })).toBe(12);
  });

  test("infinity only where it means something, and only when it is said", () => {
    expect(parseNumber("inf", "--S_max", { min: 0, infinity: true })).toBe(Infinity);
    expect(parseNumber("Infinity", "--S_max", { infinity: true })).toBe(Infinity);
    refusal("--S_max", () => parseNumber("inf", "--S_max", { min: 0 }));
    refusal("--S_max", () => parseNumber("1e999", "--S_max", { infinity: true }));
    expect(refusal("--S_max", () => parseNumber("-inf", "--S_max", { min: 0, infinity: true }))).toMatch(/or "inf"$/);
  });

  test("precision", () => {
    const known = ["f32", "f16", "f16-weights", "auto"];
    expect(known.map((name) => parsePrecision(name))).toEqual(known);
    expect(refusal("--precision", () => parsePrecision("fp16"))).toMatch(
      /"fp16": must be f32, f16, f16-weights or auto/,
    );
  });
});

describe("--class", () => {
  const labels = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
  ];
  const list = { labelDim: 10, labels };

  test("a name that is a number is a name, unless it is the number of another class", () => {
    expect(parseClass("2000", { labelDim: 2, labels: ["1990", "2000"] })).toBe(1);
    const turned = { labelDim: 3, labels: ["2", "1", "0"] };
    expect(parseClass("1", turned)).toBe(1);
    expect(() => parseClass("2", turned)).toThrow(/name of class 0 and the number of class 2; give \+0 or \+2/);
    expect(parseClass("+2", turned)).toBe(2);
  });

  test("names whatever their capitals, and numbers", () => {
    expect(parseClass("Dress", list)).toBe(3);
    expect(parseClass(" ankle BOOT ", list)).toBe(9);
    expect(parseClass("Shirt", list)).toBe(6);
    expect(parseClass("0", list)).toBe(0);
    expect(parseClass("9", { labelDim: 10 })).toBe(9);
  });

  test("an unknown name lists the names, close ones first", () => {
    const message = refusal("--class", () => parseClass("hat", list));
    for (const label of labels) expect(message).toContain(label);
    expect(parseClasses("7, Dress", list)).toEqual([7, 3]);
    expect(parseClasses("all", list)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(parseClasses("Tench, the fish", { labelDim: 2, labels: ["pike", "tench, the fish"] })).toEqual([1]);
    expect(refusal("--class", () => parseClasses("7,hat", list))).toMatch(/no class has this name/);
    expect(refusal("--class", () => parseClass("boot", list))).toMatch(/close ones are Ankle boot$/);
    const many = { labelDim: 1000, labels: Array.from({ length: 1000 }, (_, i) => `class ${i}`) };
    expect(refusal("--class", () => parseClass("hat", many))).toMatch(/class 19, and 980 more$/);
    refusal("--class", () => parseClass("", list));
  });

  test("numbers out of range, networks without classes or names, names that two classes have", () => {
    for (const text of ["10", "-1", "99999999999999999999"]) {
      expect(refusal("--class", () => parseClass(text, list))).toMatch(/run from 0 to 9/);
    }
    expect(refusal("--class", () => parseClass("0", { labelDim: 0 }))).toMatch(/no classes/);
    expect(refusal("--class", () => parseClass("Dress", { labelDim: 10 }))).toMatch(
      /does not name its classes; give a number from 0 to 9/,
    );
    expect(refusal("--class", () => parseClass("crane", { labelDim: 2, labels: ["crane", "Crane"] }))).toMatch(
      /0 and 1 .* give the number/,
    );
  });

  test("className", () => {
    expect(className(3, list)).toBe("Dress");
    expect(className(3, { labelDim: 10 })).toBe("3");
  });
});

describe("classes drawn per seed", () => {
  test("depend on the seed alone, and never change", () => {
    // Recorded: a change here changes every image of a run without --class.
    expect(labelsForSeeds([0, 1, 2, 3, 4, 5, 6, 7], 10)).toEqual([5, 2, 7, 5, 3, 9, 4, 3]);
    expect(labelsForSeeds([5, 1], 10)).toEqual([drawnClass(5, 10), drawnClass(1, 10)]);
    expect(labelsForSeeds([5, 1], 10, [3])).toEqual([3, 3]);
    expect(labelsForSeeds([0, 1, 5, 6], 10, [7, 8])).toEqual([7, 8, 8, 7]);
    expect(labelsForSeeds([5, 1], 0)).toBeUndefined();
  });

  test.each([2, 10, 1000])("fall on %i classes equally often", (classes) => {
    for (const start of [0, 1_000_000, 4_294_000_000]) {
      const counts = new Array<number>(classes).fill(0);
      const n = 100 * classes;
      for (let i = 0; i < n; i++) {
        const drawn = drawnClass(start + i, classes);
        counts[drawn] = counts[drawn]! + 1;
      }
      const chi2 = counts.reduce((sum, c) => sum + (c - 100) ** 2 / 100, 0);
      // Five standard deviations of the chi-square distribution.
      expect(Math.abs(chi2 - (classes - 1))).toBeLessThan(5 * Math.sqrt(2 * (classes - 1)) + 1);
    }
  });
});
