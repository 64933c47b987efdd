/** What the gateway sends: see PROTOCOL.md. Only what the console reads is typed; times are RFC 3339, UTC. */

export type Role = "agent" | "customer" | "mixed" | "unknown";

export interface Redaction {
  type: string;
  start: number;
  end: number;
}

export interface Utterance {
  call_id: string;
  leg_id: string;
  role: Role;
  utterance_id: string;
  revision: number;
  is_final: boolean;
  start_ms: number;
  end_ms: number;
  text: string;
  redactions: Redaction[];
  gap_before_ms: number;
}

export interface Citation {
  source: string;
  title: string;
  passage: string;
  url: string;
}

export interface Suggestion {
  suggestion_id: string;
  call_id: string;
  kind: "knowledge" | "rule";
  title: string;
  text: string;
  confidence: number;
  citations: Citation[];
  created_at: string;
  expires_at: string;
}

export type FeedbackAction = "shown" | "accepted" | "dismissed";

export interface Feedback {
  suggestion_id: string;
  call_id: string;
  action: FeedbackAction;
  at: string;
}

export interface CallState {
  status: "ringing" | "answered" | "held" | "parked" | "ended";
  updated_at: string;
  direction: "inbound" | "outbound" | "internal" | "unknown";
  agent_extension_id: string;
  queue_call: boolean;
  participants: number;
  started_at: string | null;
  answered_at: string | null;
  ended_at: string | null;
  supervision: "none" | "pending" | "party" | "session" | "failed";
}

export interface Dynamics {
  agent_talk_ms: number;
  customer_talk_ms: number;
  overtalk_ms: number;
  silence_ms: number;
}

export interface Insight {
  insight_id: string;
  kind: "sentiment" | "category" | "dynamics";
  at: string;
  role: Role;
  sentiment: number;
  label: string;
  dynamics: Dynamics | null;
}

export interface Alert {
  alert_id: string;
  severity: "info" | "warning" | "critical";
  rule: string;
  category: string;
  at: string;
}

export interface Summary extends Dynamics {
  reason_for_call: string;
  summary: string;
  outcome: string;
  categories: string[];
  duration_ms: number;
  words: number;
  transcript_complete: boolean;
}

export interface Recording {
  uri: string;
  layout: "stereo" | "mixed";
  duration_ms: number;
}

/** A call as a snapshot brings it. */
export interface CallWire {
  call_id: string;
  detail: "overview" | "full";
  agent_extension_id: string;
  state: CallState | null;
  summary: Summary | null;
  recording: Recording | null;
  utterances: Utterance[];
  suggestions: Suggestion[];
  feedback: Feedback[];
  insights: Insight[];
  alerts: Alert[];
}

interface Update<Kind extends string, RecordType> {
  type: Kind;
  cursor: string;
  call_id: string;
  record: RecordType;
}

export type FromGateway =
  | { type: "snapshot"; cursor: string; complete: boolean; calls: CallWire[]; call_id?: string }
  | Update<"utterance", Utterance>
  | Update<"suggestion", Suggestion>
  | Update<"feedback", Feedback>
  | Update<"state", CallState>
  | Update<"insight", Insight>
  | Update<"alert", Alert>
  | Update<"summary", Summary>
  | Update<"recording", Recording>
  | Update<"lifecycle" | "transcript_leg" | "supervision" | "leg", unknown>
  | { type: "gone"; call_id: string }
  | { type: "skipped"; count: number }
  | { type: "error"; code: string; call_id?: string };

export type ToGateway =
  | { type: "hello"; token: string }
  | { type: "watch" | "unwatch"; call_id: string }
  | { type: "watch_all"; detail: "overview" | "full" }
  | { type: "feedback"; suggestion_id: string; action: FeedbackAction; reason?: string };
