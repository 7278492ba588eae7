import { afterEach, expect, it, vi } from "vitest";
import { settle } from "../../src/gpu/wait.js";

const naps = vi.spyOn(Atomics, "wait");
afterEach(() => naps.mockClear());

const after = (ms: number) => new Promise<string>((resolve) => setTimeout(() => resolve("done"), ms));

it("a short wait for a GPU takes no nap, one for a software adapter does", async () => {
  expect(await settle(after(2), false)).toBe("done");
  expect(naps).not.toHaveBeenCalled();
  expect(await settle(after(2), true)).toBe("done");
  expect(naps).toHaveBeenCalled();
});

it("a long wait for a GPU naps in the end", async () => {
  await settle(after(30), false);
  expect(naps).toHaveBeenCalled();
});

it("a rejection is passed on", async () => {
  await expect(settle(Promise.reject(new Error("lost")), false)).rejects.toThrow("lost");
});
