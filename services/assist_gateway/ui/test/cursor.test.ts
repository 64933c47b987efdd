import { expect, it } from "vitest";
import { advanced } from "../src/cursor.js";
import type { FromGateway } from "../src/protocol.js";

const after = (message: Partial<FromGateway>) => advanced({ uf3: 5, "st:1": 2 }, message as FromGateway);

it("is replaced by a complete snapshot and at the end of a resume", () => {
  expect(after({ type: "snapshot", complete: true, cursor: { x: 1 }, calls: [] })).toEqual({ x: 1 });
  expect(after({ type: "resumed", cursor: { x: 2 } })).toEqual({ x: 2 });
});

it("takes over the lanes of a snapshot of some calls", () => {
  expect(after({ type: "snapshot", complete: false, cursor: { uf3: 9, y: 1 }, calls: [] })).toEqual({ uf3: 9, "st:1": 2, y: 1 });
});

it("moves in the lane that a message names, left of the last colon", () => {
  expect(after({ type: "leg", at: "uf3:6", call_id: "c", record: null })).toEqual({ uf3: 6, "st:1": 2 });
  expect(after({ type: "leg", at: "st:1:7", call_id: "c", record: null })).toEqual({ uf3: 5, "st:1": 7 });
  expect(after({ type: "gone", call_id: "c" })).toEqual({ uf3: 5, "st:1": 2 });
});
