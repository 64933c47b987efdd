/** How far a screen has read, by the three rules of PROTOCOL.md. */

import type { Cursor, FromGateway } from "./protocol.js";

/** The cursor after a message. */
export function advanced(cursor: Cursor, message: FromGateway): Cursor {
  if (message.type === "resumed") return message.cursor;
  if (message.type === "snapshot") return message.complete ? message.cursor : { ...cursor, ...message.cursor };
  if (!("at" in message)) return cursor;
  const colon = message.at.lastIndexOf(":");
  const number = Number(message.at.slice(colon + 1));
  return colon > 0 && Number.isFinite(number) ? { ...cursor, [message.at.slice(0, colon)]: number } : cursor;
}
