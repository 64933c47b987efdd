/** What the gateway and a screen say to each other: see PROTOCOL.md. Only what is read here is typed; times are RFC 3339, UTC. */

export type Role = "agent" | "customer" | "mixed" | "unknown";
export type Detail = "overview" | "full";

export interface Viewer {
  subject: string;
  role: "agent" | "supervisor" | "admin";
  extension_id: string;
  name: string;
}

export interface Agent {
  extension_id: string;
  name: string;
  extension_number: string;
}

export interface Redaction {
  type: string;
  start: number;
  end: number;
}

export interface Word {
  text: string;
  start_ms: number;
  end_ms: number;
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
  words?: Word[];
  redactions: Redaction[];
  gap_before_ms: number;
}

export interface Citation {
  source: string;
  title: string;
  section?: string;
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
  source_utterance_ids?: string[];
  created_at: string;
  expires_at: string;
  at_ms?: number;
  writer?: "source" | "model";
}

export type FeedbackAction = "shown" | "accepted" | "dismissed";
export type DismissReason = "not_relevant" | "wrong" | "already_known" | "too_late" | "other";

export interface Feedback {
  suggestion_id: string;
  call_id: string;
  action: FeedbackAction;
  reason?: string;
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

export interface Span {
  kind: "hold" | "overtalk" | "silence";
  start_ms: number;
  end_ms: number;
}

export interface Dynamics {
  agent_talk_ms: number;
  customer_talk_ms: number;
  overtalk_ms?: number;
  silence_ms?: number;
  agent_interruptions?: number;
  customer_interruptions?: number;
  longest_silence_ms?: number;
  holds?: number;
  hold_ms?: number;
  agent_words_per_minute?: number;
  customer_words_per_minute?: number;
  agent_longest_monologue_ms?: number;
  customer_longest_monologue_ms?: number;
  timeline?: Span[];
}

export interface ChecklistStep {
  step: string;
  title: string;
  status: "open" | "done" | "missed";
  at_ms?: number;
  utterance_id?: string;
}

/** The call told so far, while it lasts. */
export interface RunningSummary {
  text: string;
  reason: string;
  steps: string[];
  promises: string[];
  open_points: string[];
  result: string;
  writer: "call" | "model";
}

export interface Insight {
  insight_id: string;
  kind: "sentiment" | "category" | "dynamics" | "checklist" | "summary";
  at: string;
  role?: Role;
  sentiment?: number;
  running_sentiment?: number;
  label?: string;
  start_ms?: number;
  end_ms?: number;
  dynamics?: Dynamics | null;
  checklist?: ChecklistStep[];
  summary?: RunningSummary | null;
  handed_on_from?: string;
}

export interface Alert {
  alert_id: string;
  severity: "info" | "warning" | "critical";
  rule: string;
  category: string;
  title?: string;
  at: string;
  at_ms?: number;
}

export interface SentimentStretch {
  role: Role;
  start_ms: number;
  end_ms: number;
  sentiment: number;
}

/** One row a call, when it is over. */
export interface Summary extends Dynamics {
  reason_for_call: string;
  summary: string;
  outcome: string;
  categories: string[];
  duration_ms: number;
  words: number;
  transcript_complete: boolean;
  customer_sentiment?: number;
  customer_sentiment_opening?: number;
  customer_sentiment_closing?: number;
  sentiment_course?: SentimentStretch[];
  steps?: string[];
  promises?: string[];
  open_points?: string[];
  result?: string;
  summary_writer?: string;
  checklist?: ChecklistStep[];
  checklist_done?: number;
  checklist_steps?: number;
  alerts?: number;
}

export interface Recording {
  layout: "stereo" | "mixed";
  duration_ms: number;
  gap_ms?: number;
}

/** How much of a call was heard, and why not more. */
export interface Outcome {
  reason: string;
  duration_ms: number;
  agent_heard_ms?: number;
  customer_heard_ms?: number;
  mixed_heard_ms?: number;
  gap_ms?: number;
}

export interface Lifecycle {
  event_id: string;
  type: string;
  at: string;
  outcome?: Outcome | null;
}

/** A call as a snapshot brings it. */
export interface CallWire {
  call_id: string;
  detail: Detail;
  agent_extension_id: string;
  agent?: Agent | null;
  state: CallState | null;
  summary: Summary | null;
  recording: Recording | null;
  utterances: Utterance[];
  suggestions: Suggestion[];
  feedback: Feedback[];
  insights: Insight[];
  alerts: Alert[];
  lifecycle?: Lifecycle[];
}

/** How far a screen has read: lanes and numbers, opaque. */
export type Cursor = Readonly<Record<string, number>>;

interface Update<Kind extends string, RecordType> {
  type: Kind;
  at: string;
  call_id: string;
  record: RecordType;
  agent?: Agent | null;
}

export type EndOfListening = "stopped" | "replaced" | "call_ended" | "not_permitted" | "unavailable";

export type FromGateway =
  | { type: "welcome"; viewer: Viewer; may_listen: boolean; time: string }
  | { type: "snapshot"; cursor: Cursor; complete: boolean; calls: CallWire[]; call_id?: string }
  | { type: "resumed"; cursor: Cursor }
  | Update<"utterance", Utterance>
  | Update<"suggestion", Suggestion>
  | Update<"feedback", Feedback>
  | Update<"state", CallState>
  | Update<"insight", Insight>
  | Update<"alert", Alert>
  | Update<"summary", Summary>
  | Update<"recording", Recording>
  | Update<"lifecycle", Lifecycle>
  | Update<"transcript_leg" | "supervision" | "leg", unknown>
  | { type: "gone"; call_id: string }
  | { type: "skipped"; count: number }
  | { type: "listening"; call_id: string; stream: number }
  | { type: "listen_ended"; call_id: string; stream: number; reason: EndOfListening }
  | { type: "error"; code: string; call_id?: string };

export type ToGateway =
  | { type: "hello" | "token"; token: string }
  | { type: "watch" | "unwatch"; call_id: string }
  | { type: "watch_all"; detail: Detail }
  | {
      type: "resume";
      cursor: Cursor;
      calls: Readonly<Record<string, Detail>>;
      watch_all: Detail | null;
      watch: readonly string[];
    }
  | { type: "feedback"; suggestion_id: string; action: FeedbackAction; reason?: string }
  | { type: "listen"; call_id: string }
  | { type: "unlisten" };

/** A row of `GET /v1/calls`. */
export interface CallRow {
  call_id: string;
  agent_extension_id: string;
  agent?: Agent | null;
  state: CallState | null;
  summary: Summary | null;
  recording: Recording | null;
  outcome?: Outcome | null;
  alerts?: number;
}
