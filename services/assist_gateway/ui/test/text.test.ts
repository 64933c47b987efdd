import { expect, it } from "vitest";
import { clock, pieces, safeLink } from "../src/text.js";

it("keeps a redaction mark whole and splits the rest into words", () => {
  const text = "Your card [payment card], thank you.";
  const found = pieces(text, [{ type: "payment_card", start: 10, end: 24 }]);
  expect(found).toEqual([
    { text: "Your " },
    { text: "card " },
    { text: "[payment card]", hidden: "payment card" },
    { text: ", " },
    { text: "thank " },
    { text: "you." },
  ]);
  expect(found.map((piece) => piece.text).join("")).toBe(text);
});

it("counts characters as the redactor does", () => {
  const found = pieces("🙂 [x] b", [{ type: "other", start: 2, end: 5 }]);
  expect(found.find((piece) => piece.hidden)?.text).toBe("[x]");
});

it("loses no word over marks that make no sense", () => {
  const found = pieces("a b c", [{ type: "x", start: 3, end: 99 }, { type: "x", start: 2, end: 2 }]);
  expect(found.map((piece) => piece.text).join("")).toBe("a b c");
});

it("writes times", () => {
  expect([clock(0), clock(65_999), clock(3_600_000 + 61_000)]).toEqual(["0:00", "1:05", "1:01:01"]);
});

it("links only to web addresses", () => {
  expect(safeLink("https://help.example.com/refunds")).toBe("https://help.example.com/refunds");
  expect([safeLink("javascript:alert(1)"), safeLink("refunds.md"), safeLink("https://"), safeLink("")]).toEqual([
    null, null, null, null,
  ]);
});
