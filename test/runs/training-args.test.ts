import { describe, expect, it } from "vitest";
import { parseImages, parseStds } from "../../src/runs/training-args.js";

describe("--std", () => {
  const list = (text: string) => parseStds(text, "--std");

  it("lists numbers, and evenly spaced ones", () => {
    expect(list("0.05")).toEqual([0.05]);
    expect(list("0.1, 0.05")).toEqual([0.1, 0.05]);
    expect(list("0.05,0.06,...,0.10")).toEqual([0.05, 0.06, 0.07, 0.08, 0.09, 0.1]);
    expect(list("0.15,0.125,...,0.05,0.2")).toEqual([0.15, 0.125, 0.1, 0.075, 0.05, 0.2]);
    expect(list("0.03,0.05,0.06,...,0.07")).toEqual([0.03, 0.05, 0.06, 0.07]);
  });

  it.each([
    ["", "must be a number above 0"],
    ["0.05,,0.1", "must be a number above 0"],
    ["0", "must be a number above 0"],
    ["x", "must be a number above 0"],
    ["0.29", "0.29 is not below 0.2887"],
    ["0.05,...,0.1", "the dots lead nowhere"],
    ["...,0.1", "the dots lead nowhere"],
    ["0.05,0.06,...", "the dots lead nowhere"],
    ["0.05,0.05,...,0.1", "the dots lead nowhere"],
    ["0.05,0.06,...,0.01", "the dots lead nowhere"],
    ["0.05,0.0500001,...,0.2", "the dots lead nowhere"],
    ["0.05,0.08,...,0.1", "steps of 0.03 do not end at 0.1"],
  ])("refuses %j", (text, message) => {
    expect(() => list(text)).toThrow(message);
  });
});

describe("numbers of images", () => {
  it("have suffixes of powers of two", () => {
    expect([parseImages("3", "-n"), parseImages("64Ki", "-n"), parseImages("16Mi", "-n")]).toEqual([3, 65536, 2 ** 24]);
    for (const text of ["", "-1", "1.5", "16M", "16mi", "1e6", "9007199254740993", "99999999Gi"])
      expect(() => parseImages(text, "-n"), text).toThrow("must be a number of images");
    expect(() => parseImages("0", "-n", { min: 1 })).toThrow("from 1 on");
  });
});
