import { describe, expect, it } from "vitest";
import { columnsOf, shortened } from "../../src/runs/columns.js";
import { PAGE, table } from "../../src/runs/table.js";

describe("table", () => {
  it("sets words to the left, figures to the right, without trailing spaces", () => {
    const rows = [
      ["conv", "12", "1.5e-7", "at least 1"],
      ["resample", "3", "-", undefined],
    ];
    expect(table(["kernel", "cases", "error", "asked"], rows)).toEqual([
      "kernel    cases   error  asked",
      "conv         12  1.5e-7  at least 1",
      "resample      3       -",
    ]);
    expect(table(["kernel", "cases"], [["conv", "12"]], { bare: true, indent: 2, gap: 1 })).toEqual(["  conv 12"]);
    expect(table(["kernel", "cases"], [])).toEqual(["kernel  cases"]);
  });

  it("counts a terminal's columns: East Asian characters and emoji take two, marks none", () => {
    for (const [text, columns] of [
      ["猫の写真.png", 12],
      ["ﾈｺ", 2],
      ["고양이", 6],
      ["é", 1],
      ["🐈.png", 6],
      ["ＡＢ", 4],
      ["ÄÖ…", 3],
      ["スーパー（株）", 14],
      ["㈱", 2],
    ] as const)
      expect(columnsOf(text), text).toBe(columns);
    const rows = [
      ["猫の写真.png", "1"],
      ["cat.png", "12"],
    ];
    expect(table(["file", "n"], rows)).toEqual(["file           n", "猫の写真.png   1", "cat.png       12"]);
    expect(shortened("猫の写真の名前", 8)).toBe("猫…名前");
    expect(shortened("猫の写真の名前", 7)).toBe("猫…前");
    const long = [["猫の写真の名前.png", "1"]];
    expect(table(["file", "n"], long, { width: 18, cut: ["file"] })[1]).toBe("猫の写…前.png    1");
  });

  it("cuts the widest of what may be cut, in the middle, until a terminal of that width holds the lines", () => {
    const name = `enc.${"block".repeat(12)}.conv0`;
    const rows = [
      [name, "conv 3x3 by Winograd F(4x4, 3x3) in strips", "12.34"],
      ["out", "copy", "0.01"],
    ];
    const lines = table(["node", "kernel", "ms"], rows, { width: 50, cut: ["node", "kernel"] });
    expect(lines.map((line) => line.length)).toEqual([50, 50, 50]);
    expect(lines[1]).toMatch(/^enc\.block.*….*\.conv0 {2}conv 3x3.*… ?.*strips {2}12\.34$/);
    // Without a terminal nothing is lost; and where nothing more can be cut, the figures stay whole.
    expect(table(["node", "kernel", "ms"], rows, { width: Infinity, cut: ["node"] })[1]).toContain(name);
    expect(
      table(
        ["node", "ms"],
        rows.map(([node, , ms]) => [node, ms]),
        { width: 5, cut: ["node"] },
      )[1],
    ).toMatch(/^enc\.b….{6} {2}12\.34$/);
    for (const line of table(["node", "ms"], [["x".repeat(200), "1"]], { ...PAGE, cut: ["node"] }))
      expect(line.length).toBeLessThanOrEqual(80);
  });

  it("cuts names elsewhere where the middle would leave them alike", () => {
    const names = ["16x16_down", "16x16_block0", "32x32_block0", "8x8_block0"].map(
      (part) => `ctrl+enc.${part}.pixel_norm`,
    );
    const rows = names.map((name) => [name]);
    const cut = table(["node"], rows, { width: 22, cut: ["node"], bare: true });
    expect(new Set(cut).size).toBe(4);
    expect(cut[0]).toBe("ctrl+enc.1….pixel_norm");
    for (const line of cut) expect(line.length).toBeLessThanOrEqual(22);
    // A name that stands there twice is cut the same way twice.
    expect(new Set(table(["node"], [...rows, ...rows], { width: 22, cut: ["node"], bare: true }))).toEqual(
      new Set(cut),
    );
  });

  it("shortens to the very width", () => {
    expect(shortened("abcdefghij", 10)).toBe("abcdefghij");
    expect(shortened("abcdefghij", 7)).toBe("abc…hij");
    expect(shortened("abcdefghij", 6)).toHaveLength(6);
  });
});
