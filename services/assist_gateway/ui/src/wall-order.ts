/** In which order the wall shows calls. */

import { urgency } from "./figures.js";
import { type Call, beganAt } from "./store.js";
import { agentName } from "./text.js";

export type Order = "urgent" | "longest" | "agent";

/** The calls in an order, those that match the words looked for. */
export function arranged(calls: readonly Call[], order: Order, sought: string): Call[] {
  const wanted = sought.trim().toLowerCase();
  const found = calls.filter((call) => agentName(call).toLowerCase().includes(wanted));
  const longest = (a: Call, b: Call): number => beganAt(a) - beganAt(b) || a.callId.localeCompare(b.callId);
  switch (order) {
    case "urgent":
      return found.sort((a, b) => urgency(b) - urgency(a) || longest(a, b));
    case "agent":
      return found.sort((a, b) => agentName(a).localeCompare(agentName(b)) || longest(a, b));
    case "longest":
      return found.sort(longest);
  }
}
