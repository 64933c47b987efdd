import { describe, expect, it } from "vitest";
import type { CallWire, FromGateway, Insight, Utterance } from "../src/protocol.js";
import { checklistOf, customerSentiment, heardShare, moodCourse, talkShare, urgency } from "../src/figures.js";
import { type Call, EMPTY, type Store, durationMs, held, liveCalls, reduce } from "../src/store.js";
import { spokenAt, turns } from "../src/turns.js";
import { arranged } from "../src/wall-order.js";

function utterance(id: string, changes: Partial<Utterance> = {}): Utterance {
  return {
    call_id: "c1", leg_id: "a", role: "agent", utterance_id: id, revision: 0, is_final: false, start_ms: 0, end_ms: 1000,
    text: id, redactions: [], gap_before_ms: 0, ...changes,
  };
}

function wire(callId: string, changes: Partial<CallWire> = {}): CallWire {
  return {
    call_id: callId, detail: "full", agent_extension_id: "7", state: null, summary: null, recording: null, utterances: [],
    suggestions: [], feedback: [], insights: [], alerts: [], ...changes,
  };
}

function state(status: "answered" | "ended", at: string) {
  return {
    status, updated_at: at, direction: "inbound" as const, agent_extension_id: "7", queue_call: false, participants: 2,
    started_at: at, answered_at: at, ended_at: null, supervision: "party" as const,
  };
}

function told(...messages: FromGateway[]): Store {
  return messages.reduce(reduce, EMPTY);
}

function said(record: Utterance): FromGateway {
  return { type: "utterance", at: "i:1", call_id: "c1", record };
}

function call(store: Store, id = "c1"): Call {
  const found = store.calls.get(id);
  if (!found) throw new Error(`no call ${id}`);
  return found;
}

describe("utterances", () => {
  it("are replaced by later revisions and not by earlier ones", () => {
    const store = told(
      said(utterance("u", { revision: 1, text: "hello there" })),
      said(utterance("u", { revision: 0, text: "hello" })),
    );
    expect(call(store).utterances.get("u")?.text).toBe("hello there");
  });

  it("stay as they are once final", () => {
    const store = told(
      said(utterance("u", { revision: 1, is_final: true, text: "final" })),
      said(utterance("u", { revision: 9, text: "late partial" })),
      said(utterance("u", { revision: 9, is_final: true, text: "another final" })),
    );
    expect(call(store).utterances.get("u")?.text).toBe("final");
  });

  it("become final whatever the revision says", () => {
    const store = told(said(utterance("u", { revision: 5 })), said(utterance("u", { revision: 2, is_final: true })));
    expect(call(store).utterances.get("u")?.is_final).toBe(true);
  });

  it("are ordered by time and joined into turns of one speaker", () => {
    const store = told(
      said(utterance("u3", { start_ms: 3000, leg_id: "b", role: "customer" })),
      said(utterance("u1", { start_ms: 1000 })),
      said(utterance("u2", { start_ms: 2000 })),
    );
    expect(turns(call(store)).map((t) => [t.role, t.utterances.map((u) => u.utterance_id)])).toEqual([
      ["agent", ["u1", "u2"]],
      ["customer", ["u3"]],
    ]);
  });

  it("of a leg whose speaker became known start a new turn", () => {
    const store = told(
      said(utterance("u1", { role: "unknown" })),
      said(utterance("u2", { role: "agent", start_ms: 5 })),
    );
    expect(turns(call(store)).map((t) => t.role)).toEqual(["unknown", "agent"]);
  });
});

describe("snapshots", () => {
  it("replace the calls that they hold", () => {
    const store = told(
      { type: "snapshot", cursor: { i: 1 }, complete: true, calls: [wire("c1", { utterances: [utterance("old")] }), wire("c2")] },
      { type: "snapshot", cursor: { i: 2 }, complete: false, calls: [wire("c1", { utterances: [utterance("new")] })] },
    );
    expect([...call(store).utterances.keys()]).toEqual(["new"]);
    expect([...store.calls.keys()]).toEqual(["c1", "c2"]);
  });

  it("drop what is not in them where they are complete", () => {
    const store = told(
      { type: "snapshot", cursor: { i: 1 }, complete: true, calls: [wire("c1"), wire("c2")] },
      { type: "skipped", count: 3 },
      { type: "snapshot", cursor: { i: 9 }, complete: true, calls: [wire("c2")] },
    );
    expect([...store.calls.keys()]).toEqual(["c2"]);
    expect(store.skipped).toBe(3);
  });

  it("are followed by updates without a difference when these are told twice", () => {
    const messages: FromGateway[] = [
      { type: "snapshot", cursor: { i: 1 }, complete: true, calls: [wire("c1")] },
      said(utterance("u", { is_final: true })),
    ];
    expect(told(...messages, ...messages.slice(1))).toEqual(told(...messages));
  });
});

it("forgets calls that are gone", () => {
  const store = told(
    { type: "snapshot", cursor: { i: 1 }, complete: true, calls: [wire("c1")] },
    { type: "gone", call_id: "c1" },
  );
  expect(store.calls.size).toBe(0);
});

describe("live calls", () => {
  const store = told({
    type: "snapshot", cursor: { i: 1 }, complete: true,
    calls: [
      wire("over", { state: state("ended", "2026-03-02T17:00:00Z") }),
      wire("older", { state: state("answered", "2026-03-02T15:00:00Z"), agent: { extension_id: "7", name: "Zoe", extension_number: "" } }),
      wire("newer", {
        state: state("answered", "2026-03-02T16:00:00Z"), agent: { extension_id: "8", name: "Ann", extension_number: "" }, detail: "overview",
      }),
    ],
  });

  it("are those that have not ended, the newest first", () => {
    expect(liveCalls(store).map((c) => c.callId)).toEqual(["newer", "older"]);
  });

  it("are told to the gateway with what is had of each", () => {
    expect(held(store)).toEqual({ over: "full", older: "full", newer: "overview" });
  });

  it("are arranged by who needs help, by length, by name, and found by name", () => {
    const alert = { alert_id: "a", severity: "warning" as const, rule: "r", category: "", at: "2026-03-02T16:00:01Z" };
    const alerted = reduce(store, { type: "alert", at: "i:2", call_id: "newer", record: alert });
    const ids = (calls: Call[]): string[] => calls.map((c) => c.callId);
    expect(ids(arranged(liveCalls(alerted), "urgent", ""))).toEqual(["newer", "older"]);
    expect(ids(arranged(liveCalls(store), "urgent", ""))).toEqual(["older", "newer"]);
    expect(ids(arranged(liveCalls(store), "longest", ""))).toEqual(["older", "newer"]);
    expect(ids(arranged(liveCalls(store), "agent", ""))).toEqual(["newer", "older"]);
    expect(ids(arranged(liveCalls(store), "urgent", " zO"))).toEqual(["older"]);
  });
});

it("finds what is being said at a moment of the recording", () => {
  const store = told(
    said(utterance("u1", { start_ms: 1000, end_ms: 3000 })),
    said(utterance("u2", { start_ms: 2500, end_ms: 2600, leg_id: "b", role: "customer" })),
  );
  expect([500, 1500, 2550, 2800, 9000].map((at) => spokenAt(call(store), at))).toEqual(["", "u1", "u2", "u1", "u2"]);
});

describe("figures", () => {
  const insight = (id: string, changes: Partial<Insight>): FromGateway => ({
    type: "insight", at: "i:1", call_id: "c1",
    record: { insight_id: id, kind: "sentiment", at: "2026-03-02T15:00:00Z", role: "customer", sentiment: 0, ...changes },
  });
  const dynamics = (agent: number, customer: number) => ({
    agent_talk_ms: agent, customer_talk_ms: customer, overtalk_ms: 0, silence_ms: 0,
  });

  it("share the talk as the newest dynamics say", () => {
    const store = told(
      insight("d1", { kind: "dynamics", dynamics: dynamics(100, 0) }),
      insight("d2", { kind: "dynamics", dynamics: dynamics(250, 750) }),
    );
    expect(talkShare(call(store))).toEqual({ agent: 25, customer: 75 });
  });

  it("share the talk by the utterances before any dynamics are told", () => {
    const store = told(
      said(utterance("u1", { end_ms: 3000 })),
      said(utterance("u2", { leg_id: "b", role: "customer", end_ms: 1000 })),
    );
    expect(talkShare(call(store))).toEqual({ agent: 75, customer: 25 });
    expect(talkShare(call(told(said(utterance("u", { role: "mixed" })))))).toBeNull();
  });

  it("take the customer's newest sentiment", () => {
    const store = told(
      insight("i2", { at: "2026-03-02T15:00:02Z", sentiment: -0.5 }),
      insight("i1", { at: "2026-03-02T15:00:01Z", sentiment: 0.5 }),
      insight("i3", { at: "2026-03-02T15:00:03Z", sentiment: 0.9, role: "agent" }),
    );
    expect(customerSentiment(call(store))).toBe(-0.5);
  });

  it("follow the customer's running sentiment along the call", () => {
    const store = told(
      insight("i1", { sentiment: -1, running_sentiment: -0.4, end_ms: 2000 }),
      insight("i2", { sentiment: 1, running_sentiment: 0.1, end_ms: 5000 }),
    );
    expect(moodCourse(call(store), "customer")).toEqual([{ atMs: 2000, value: -0.4 }, { atMs: 5000, value: 0.1 }]);
    expect(urgency(call(store))).toBe(0);
  });

  it("take the newest checklist as a whole, and keep what was handed on apart", () => {
    const step = { step: "s", title: "Greet", status: "open" as const };
    const summary = { text: "", reason: "", steps: [], promises: [], open_points: [], result: "", writer: "call" as const };
    const store = told(
      insight("c1", { kind: "checklist", checklist: [step] }),
      insight("c2", { kind: "checklist", checklist: [{ ...step, status: "done" }] }),
      insight("s1", { kind: "summary", summary: { ...summary, reason: "now" } }),
      insight("s2", { kind: "summary", summary: { ...summary, reason: "before" }, handed_on_from: "c0" }),
    );
    expect(checklistOf(call(store)).map((s) => s.status)).toEqual(["done"]);
    expect(call(store).insights.get("summary")?.summary?.reason).toBe("now");
    expect(call(store).insights.get("handed_on")?.summary?.reason).toBe("before");
  });

  it("tell how much of a finished call was heard", () => {
    const outcome = { reason: "partly_covered", duration_ms: 100_000, agent_heard_ms: 90_000, customer_heard_ms: 75_000 };
    const store = told({
      type: "lifecycle", at: "i:1", call_id: "c1", record: { event_id: "e", type: "ended", at: "", outcome },
    });
    expect(heardShare(call(store))).toBe(75);
    expect(heardShare(call(told(said(utterance("u")))))).toBeNull();
  });

  it("measure the call from its answer to its end", () => {
    const ended = { ...state("ended", "2026-03-02T15:00:00Z"), ended_at: "2026-03-02T15:01:05Z" };
    const store = told({ type: "state", at: "i:1", call_id: "c1", record: ended });
    expect(durationMs(call(store), Date.parse("2026-03-02T18:00:00Z"))).toBe(65_000);
    const live = told({ type: "state", at: "i:1", call_id: "c1", record: state("answered", "2026-03-02T15:00:00Z") });
    expect(durationMs(call(live), Date.parse("2026-03-02T15:00:10Z"))).toBe(10_000);
  });
});
