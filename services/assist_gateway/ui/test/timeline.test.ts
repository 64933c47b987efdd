import { expect, it } from "vitest";
import { horizonMs } from "../src/horizon.js";

it("grows in steps while the call lives, and ends with the call", () => {
  expect([0, 100_000, 119_000, 290_000, 5 * 3_600_000 - 1].map((end) => horizonMs(end, true) / 60_000)).toEqual([
    2, 2, 5, 5, 300,
  ]);
  expect([horizonMs(90_500, false), horizonMs(0, false)]).toEqual([90_500, 1_000]);
});
