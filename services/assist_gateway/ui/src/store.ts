/** What the page knows, as a pure function of what the gateway said. Nothing here touches the page or the network. */

import type {
  Alert, CallState, CallWire, Dynamics, Feedback, FromGateway, Insight, Recording, Suggestion, Summary, Utterance,
} from "./protocol.js";

export interface Call {
  readonly callId: string;
  readonly full: boolean;
  readonly agentExtensionId: string;
  readonly state: CallState | null;
  readonly summary: Summary | null;
  readonly recording: Recording | null;
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
      };
    case "summary":
      return { ...call, summary: message.record };
    case "recording":
      return { ...call, recording: message.record };
    default:
      return call;
  }
}

/** Whether what is known stands against what is told now: a final always, a partial against earlier revisions. */
function supersedes(known: Utterance, told: Utterance): boolean {
  if (known.is_final) return true;
  return !told.is_final && told.revision < known.revision;
}

function fromWire(wire: CallWire): Call {
  return {
    callId: wire.call_id,
    full: wire.detail === "full",
    agentExtensionId: wire.agent_extension_id,
    state: wire.state,
    summary: wire.summary,
    recording: wire.recording,
    utterances: new Map(wire.utterances.map((u) => [u.utterance_id, u])),
    suggestions: new Map(wire.suggestions.map((s) => [s.suggestion_id, s])),
    feedback: new Map(wire.feedback.map((f) => [f.suggestion_id, f])),
    insights: new Map(wire.insights.map((i) => [insightKey(i), i])),
    alerts: new Map(wire.alerts.map((a) => [a.alert_id, a])),
  };
}

function blank(callId: string): Call {
  return {
    callId, full: false, agentExtensionId: "", state: null, summary: null, recording: null, utterances: new Map(),
    suggestions: new Map(), feedback: new Map(), insights: new Map(), alerts: new Map(),
  };
}

function put<Value>(map: ReadonlyMap<string, Value>, key: string, value: Value): ReadonlyMap<string, Value> {
  return new Map(map).set(key, value);
}

/** Dynamics are running totals: only the newest counts. */
function insightKey(insight: Insight): string {
  return insight.kind === "dynamics" ? "dynamics" : insight.insight_id;
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

/** Live calls first, the newest of each on top. */
export function listed(store: Store): Call[] {
  return [...store.calls.values()].sort(
    (a, b) => Number(isLive(b)) - Number(isLive(a)) || beganAt(b) - beganAt(a) || a.callId.localeCompare(b.callId),
  );
}

/** The call to show: the chosen one while it is there, else the newest live one, else the one shown before. */
export function shownCall(store: Store, chosen: string, before: string): string {
  if (store.calls.has(chosen)) return chosen;
  const first = listed(store)[0];
  if (first && isLive(first)) return first.callId;
  return store.calls.has(before) ? before : (first?.callId ?? "");
}

export interface Turn {
  readonly key: string;
  readonly role: Utterance["role"];
  readonly startMs: number;
  readonly utterances: readonly Utterance[];
}

/** Utterances in the order in which they were begun, those of one leg that follow each other joined. */
export function turns(call: Call): Turn[] {
  const sorted = [...call.utterances.values()].sort(
    (a, b) => a.start_ms - b.start_ms || a.utterance_id.localeCompare(b.utterance_id),
  );
  const made: { key: string; leg: string; role: Utterance["role"]; startMs: number; utterances: Utterance[] }[] = [];
  for (const utterance of sorted) {
    const last = made.at(-1);
    if (last && last.leg === utterance.leg_id && last.role === utterance.role) last.utterances.push(utterance);
    else
      made.push({
        key: utterance.utterance_id, leg: utterance.leg_id, role: utterance.role, startMs: utterance.start_ms,
        utterances: [utterance],
      });
  }
  return made;
}

export interface TalkShare {
  /** Of all talk, 0 to 100. */
  readonly agent: number;
  readonly customer: number;
}

/** Who talks how much: the summary's or the newest told dynamics, else the finals' own lengths; null before any talk. */
export function talkShare(call: Call): TalkShare | null {
  const told: Dynamics | null = call.insights.get("dynamics")?.dynamics ?? call.summary;
  let agent = told?.agent_talk_ms ?? 0;
  let customer = told?.customer_talk_ms ?? 0;
  if (agent + customer === 0) {
    for (const utterance of call.utterances.values()) {
      const length = utterance.end_ms - utterance.start_ms;
      if (utterance.role === "agent") agent += length;
      if (utterance.role === "customer") customer += length;
    }
  }
  if (agent + customer === 0) return null;
  const share = Math.round((100 * agent) / (agent + customer));
  return { agent: share, customer: 100 - share };
}

/** The newest sentiment of the customer, -1 to 1; null before any. */
export function customerSentiment(call: Call): number | null {
  let newest: Insight | null = null;
  for (const insight of call.insights.values()) {
    if (insight.kind !== "sentiment" || insight.role !== "customer") continue;
    if (newest === null || insight.at >= newest.at) newest = insight;
  }
  return newest?.sentiment ?? null;
}
