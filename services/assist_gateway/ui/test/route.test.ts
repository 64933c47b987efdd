import { expect, it } from "vitest";
import { addressOf, routeOf } from "../src/route.js";

it("finds each page again by its address", () => {
  for (const route of [
    { page: "live" }, { page: "call", callId: "s-a/b%" }, { page: "finished" }, { page: "record", callId: "s 1" },
  ] as const)
    expect(routeOf(addressOf(route))).toEqual(route);
});

it("shows the live calls at any other address", () => {
  expect(["", "#", "#/calls/", "#/nothing/x", "#/calls/%E0%A4%A"].map((address) => routeOf(address).page)).toEqual([
    "live", "live", "live", "live", "live",
  ]);
});
