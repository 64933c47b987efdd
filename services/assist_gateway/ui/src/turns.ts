/** What was said, in order, as turns of one speaker. */

import type { Utterance } from "./protocol.js";
import type { Call } from "./store.js";

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

/** The utterance that sounds at a moment of the media clock, or the last one before it; empty before the first. */
export function spokenAt(call: Call, atMs: number): string {
  let found: Utterance | null = null;
  for (const utterance of call.utterances.values()) {
    if (utterance.start_ms > atMs || !utterance.text) continue;
    const better = found === null || utterance.start_ms >= found.start_ms;
    if (better && (found === null || utterance.end_ms > atMs || found.end_ms <= atMs)) found = utterance;
  }
  return found?.utterance_id ?? "";
}
