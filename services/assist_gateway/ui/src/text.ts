/** Texts for the page: words with redaction marks, times, labels. */

import type { Agent, Redaction, Role } from "./protocol.js";

export interface Piece {
  readonly text: string;
  /** What was hidden here; undefined for ordinary words. */
  readonly hidden?: string;
}

/** The words of a text, each with the space after it; a redaction mark is one piece. */
export function pieces(text: string, redactions: readonly Redaction[]): Piece[] {
  const found: Piece[] = [];
  const words = (part: string): void => {
    for (const word of part.match(/\s*\S+\s*/g) ?? []) found.push({ text: word });
  };
  // The redactor counts characters (code points), as Python does.
  const characters = [...text];
  let position = 0;
  for (const mark of [...redactions].sort((a, b) => a.start - b.start)) {
    if (mark.start < position || mark.end <= mark.start || mark.end > characters.length) continue;
    words(characters.slice(position, mark.start).join(""));
    found.push({ text: characters.slice(mark.start, mark.end).join(""), hidden: mark.type.replaceAll("_", " ") });
    position = mark.end;
  }
  words(characters.slice(position).join(""));
  return found;
}

/** `m:ss`, or `h:mm:ss` from an hour on. */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (n: number): string => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** The time of day, in the reader's own way of writing it. */
export function hourAndMinute(at: string | number): string {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

const SPEAKERS: Record<Role, string> = {
  agent: "Agent",
  customer: "Customer",
  mixed: "Both speakers, mixed",
  unknown: "Speaker not known",
};

export function speaker(role: Role): string {
  return SPEAKERS[role];
}

/** A code such as `partly_covered` as words. */
export function words(code: string): string {
  const text = code.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The address of a citation, if it is one that a browser may safely be sent to. */
export function safeLink(url: string): string | null {
  return /^https?:\/\//i.test(url) && URL.canParse(url) ? url : null;
}

/** The name of a call's agent: the roster's, else the extension's number. */
export function agentName(call: { agent: Agent | null; agentExtensionId: string }): string {
  if (call.agent?.name) return call.agent.name;
  if (call.agent?.extension_number) return `Extension ${call.agent.extension_number}`;
  return call.agentExtensionId ? `Agent ${call.agentExtensionId}` : "Agent not known yet";
}

/** A length of time in words, for those who hear the page: `2 minutes 5 seconds`. */
export function spoken(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [m, s] = [Math.floor(seconds / 60), seconds % 60];
  const part = (n: number, unit: string): string => `${n} ${unit}${n === 1 ? "" : "s"}`;
  if (m === 0) return part(s, "second");
  return s === 0 ? part(m, "minute") : `${part(m, "minute")} ${part(s, "second")}`;
}

export function mood(sentiment: number): "negative" | "neutral" | "positive" {
  if (sentiment <= -0.25) return "negative";
  return sentiment >= 0.25 ? "positive" : "neutral";
}
