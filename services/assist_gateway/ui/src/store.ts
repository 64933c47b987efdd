/** What the page knows, as a pure function of what the gateway said. Nothing here touches the page or the network. */

import type {
  Agent, Alert, CallState, CallWire, Detail, Feedback, FromGateway, Insight, Lifecycle, Outcome, Recording, Suggestion,
  Summary, Utterance,
} from "./protocol.js";

export interface Call {
  readonly callId: string;
  readonly full: boolean;
  readonly agentExtensionId: string;
  readonly agent: Agent | null;
  readonly state: CallState | null;
  readonly summary: Summary | null;
  readonly recording: Recording | null;
  /** How much of it was heard; null while it lasts. */
  readonly outcome: Outcome | null;
  readonly utterances: ReadonlyMap<string, Utterance>;
  readonly suggestions: ReadonlyMap<string, Suggestion>;
  readonly feedback: ReadonlyMap<string, Feedback>;
  readonly insights: ReadonlyMap<string, Insight>;
  readonly alerts: ReadonlyMap<string, Alert>;
}

export interface Store {
  readonly calls: ReadonlyMap<string, Call>;
  /** Messages that the gateway left out because this page was too slow; a snapshot has made up for them. */
  readonly skipped: number;
}

export const EMPTY: Store = { calls: new Map(), skipped: 0 };

/** The store after a message. Told twice, a message changes nothing more. */
export function reduce(store: Store, message: FromGateway): Store {
  switch (message.type) {
    case "snapshot": {
      const calls = new Map(message.complete ? [] : store.calls);
      for (const call of message.calls) calls.set(call.call_id, fromWire(call));
      return { ...store, calls };
    }
    case "gone": {
      const calls = new Map(store.calls);
      calls.delete(message.call_id);
      return { ...store, calls };
    }
    case "skipped":
      return { ...store, skipped: store.skipped + message.count };
    case "welcome":
    case "resumed":
    case "listening":
    case "listen_ended":
    case "error":
      return store;
    default: {
      const before = store.calls.get(message.call_id) ?? blank(message.call_id);
      const after = updated(before, message);
      if (after === before) return store;
      return { ...store, calls: new Map(store.calls).set(message.call_id, after) };
    }
  }
}

function updated(call: Call, message: Extract<FromGateway, { record: unknown }>): Call {
  switch (message.type) {
    case "utterance": {
      const known = call.utterances.get(message.record.utterance_id);
      if (known && supersedes(known, message.record)) return call;
      return { ...call, utterances: put(call.utterances, message.record.utterance_id, message.record) };
    }
    case "suggestion":
      return { ...call, suggestions: put(call.suggestions, message.record.suggestion_id, message.record) };
    case "feedback":
      return { ...call, feedback: put(call.feedback, message.record.suggestion_id, message.record) };
    case "insight":
      return { ...call, insights: put(call.insights, insightKey(message.record), message.record) };
    case "alert":
      return { ...call, alerts: put(call.alerts, message.record.alert_id, message.record) };
    case "state":
      return {
        ...call, state: message.record, agentExtensionId: message.record.agent_extension_id || call.agentExtensionId,
        agent: message.agent ?? call.agent,
      };
    case "summary":
      return { ...call, summary: message.record };
    case "recording":
      return { ...call, recording: message.record };
    case "lifecycle":
      return { ...call, outcome: message.record.outcome ?? call.outcome };
    default:
      return call;
  }
}

/** Whether what is known stands against what is told now: a final always, a partial against earlier revisions. */
function supersedes(known: Utterance, told: Utterance): boolean {
  if (known.is_final) return true;
  return !told.is_final && told.revision < known.revision;
}

export function fromWire(wire: CallWire): Call {
  return {
    callId: wire.call_id,
    full: wire.detail === "full",
    agentExtensionId: wire.agent_extension_id,
    agent: wire.agent ?? null,
    state: wire.state,
    summary: wire.summary,
    recording: wire.recording,
    outcome: outcomeOf(wire.lifecycle ?? []),
    utterances: new Map(wire.utterances.map((u) => [u.utterance_id, u])),
    suggestions: new Map(wire.suggestions.map((s) => [s.suggestion_id, s])),
    feedback: new Map(wire.feedback.map((f) => [f.suggestion_id, f])),
    insights: new Map(wire.insights.map((i) => [insightKey(i), i])),
    alerts: new Map(wire.alerts.map((a) => [a.alert_id, a])),
  };
}

function blank(callId: string): Call {
  return {
    callId, full: false, agentExtensionId: "", agent: null, state: null, summary: null, recording: null, outcome: null,
    utterances: new Map(), suggestions: new Map(), feedback: new Map(), insights: new Map(), alerts: new Map(),
  };
}

function put<Value>(map: ReadonlyMap<string, Value>, key: string, value: Value): ReadonlyMap<string, Value> {
  return new Map(map).set(key, value);
}

/** Dynamics, checklist and summary are told anew as a whole: only the newest counts. */
function insightKey(insight: Insight): string {
  if (insight.kind === "summary") return insight.handed_on_from ? "handed_on" : "summary";
  return insight.kind === "dynamics" || insight.kind === "checklist" ? insight.kind : insight.insight_id;
}

function outcomeOf(facts: readonly Lifecycle[]): Outcome | null {
  return facts.findLast((fact) => fact.outcome)?.outcome ?? null;
}

/** What the page has of each call. */
export function held(store: Store): Record<string, Detail> {
  return Object.fromEntries([...store.calls.values()].map((call) => [call.callId, call.full ? "full" : "overview"]));
}

export function isLive(call: Call): boolean {
  return call.state !== null && call.state.status !== "ended" && call.summary === null;
}

/** Milliseconds since 1970 at which the call began, as far as it is known. */
export function beganAt(call: Call): number {
  const time = call.state?.answered_at ?? call.state?.started_at ?? call.state?.updated_at;
  return time ? Date.parse(time) : 0;
}

/** How long the call lasts or lasted; null where its beginning is not known. */
export function durationMs(call: Call, nowMs: number): number | null {
  const answered = call.state?.answered_at;
  if (!answered) return call.summary ? call.summary.duration_ms : null;
  const end = call.state?.ended_at ? Date.parse(call.state.ended_at) : nowMs;
  return Math.max(0, end - Date.parse(answered));
}

/** Live calls, the newest first. */
export function liveCalls(store: Store): Call[] {
  return [...store.calls.values()]
    .filter(isLive)
    .sort((a, b) => beganAt(b) - beganAt(a) || a.callId.localeCompare(b.callId));
}
