/** Figures of a call, from what is known of it. */

import type { Alert, ChecklistStep, Dynamics, Role, Span } from "./protocol.js";
import type { Call } from "./store.js";

export interface TalkShare {
  /** Of all talk, 0 to 100. */
  readonly agent: number;
  readonly customer: number;
}

/** The newest told dynamics, else those of the summary. */
export function dynamicsOf(call: Call): Dynamics | null {
  return call.summary ?? call.insights.get("dynamics")?.dynamics ?? null;
}

/** Who talks how much: as told, else by the utterances' own lengths; null before any talk. */
export function talkShare(call: Call): TalkShare | null {
  const told = dynamicsOf(call);
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

export interface MoodPoint {
  readonly atMs: number;
  /** -1 to 1. */
  readonly value: number;
}

/** How a speaker's sentiment went, in order of time; the running value where it is told. */
export function moodCourse(call: Call, role: Role): MoodPoint[] {
  const points: MoodPoint[] = [];
  for (const insight of call.insights.values()) {
    if (insight.kind !== "sentiment" || insight.role !== role) continue;
    const value = insight.running_sentiment ?? insight.sentiment ?? 0;
    points.push({ atMs: insight.end_ms ?? Date.parse(insight.at), value });
  }
  if (!points.length) {
    for (const stretch of call.summary?.sentiment_course ?? [])
      if (stretch.role === role) points.push({ atMs: (stretch.start_ms + stretch.end_ms) / 2, value: stretch.sentiment });
  }
  return points.sort((a, b) => a.atMs - b.atMs);
}

/** How the customer sounds by now, -1 to 1; null before anything was said. */
export function customerSentiment(call: Call): number | null {
  return moodCourse(call, "customer").at(-1)?.value ?? null;
}

export function checklistOf(call: Call): readonly ChecklistStep[] {
  return call.insights.get("checklist")?.checklist ?? call.summary?.checklist ?? [];
}

export function spansOf(call: Call): readonly Span[] {
  return dynamicsOf(call)?.timeline ?? [];
}

const RANK: Record<Alert["severity"], number> = { info: 1, warning: 2, critical: 3 };

/** The alerts, the gravest first, of equal ones the newest first. */
export function alertsOf(call: Call): Alert[] {
  return [...call.alerts.values()].sort(
    (a, b) => RANK[b.severity] - RANK[a.severity] || b.at.localeCompare(a.at),
  );
}

/** How much a call wants a supervisor's eye: alerts first, then how the customer feels, in steps so that it rarely changes. */
export function urgency(call: Call): number {
  const gravest = alertsOf(call)[0];
  const sentiment = customerSentiment(call) ?? 0;
  return (gravest ? RANK[gravest.severity] * 10 : 0) + (sentiment <= -0.25 ? 5 : 0);
}

/** What is heard of a call, in words, and whether that is as it should be. */
export function coverage(call: Call): { readonly text: string; readonly good: boolean } {
  switch (call.state?.supervision) {
    case "party":
      return { text: "Both sides heard", good: true };
    case "session":
      return { text: "Heard as one mix", good: true };
    case "pending":
      return { text: "Connecting to the audio", good: false };
    case "failed":
      return { text: "No audio to be had", good: false };
    default:
      return { text: "Not listened to", good: false };
  }
}

/** The share of a finished call that was heard, 0 to 100; null where nothing is told. */
export function heardShare(call: Call): number | null {
  const told = call.outcome;
  if (!told || told.duration_ms <= 0) return null;
  const mixed = told.mixed_heard_ms ?? 0;
  const both = Math.min(told.agent_heard_ms ?? 0, told.customer_heard_ms ?? 0) + mixed;
  return Math.min(100, Math.round((100 * both) / told.duration_ms));
}

/** The end of what is known of a call on its media clock, ms. */
export function mediaEndMs(call: Call): number {
  let end = call.recording?.duration_ms ?? 0;
  for (const utterance of call.utterances.values()) end = Math.max(end, utterance.end_ms);
  for (const span of spansOf(call)) end = Math.max(end, span.end_ms);
  return end;
}
