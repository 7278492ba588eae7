import { expect, it } from "vitest";
import { folded } from "../../src/runs/terminal.js";

it("messages are broken between words; paths, tables and colours stay whole", () => {
  expect(folded("short\nalso short\n", 12)).toBe("short\nalso short\n");
  expect(folded("one two three four five\n", 12)).toBe("one two\n  three four\n  five\n");
  expect(folded("see /a/path/that/is/longer for it", 12)).toBe("see\n  /a/path/that/is/longer\n  for it");
  const row = "name    figure  another figure";
  expect(folded(row, 12)).toBe(row);
  // Sequences of colour take no room.
  expect(folded("\u001b[33mone two\u001b[39m three", 13)).toBe("\u001b[33mone two\u001b[39m three");
  expect(folded("long line here", Number.POSITIVE_INFINITY)).toBe("long line here");
});
