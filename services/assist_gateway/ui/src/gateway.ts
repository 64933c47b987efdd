/** The gateway's HTTP side: finished calls, one call whole, a recording's address. */

import type { CallRow, CallWire } from "./protocol.js";

/** Asked for what is not there, not to be seen, or not to be had right now. */
export class Unanswered extends Error {
  constructor(readonly status: number) {
    super(`answered with ${status}`);
  }
}

export interface Page {
  readonly calls: readonly CallRow[];
  readonly next: string | null;
}

export class Gateway {
  constructor(
    private readonly base: string,
    private readonly token: () => Promise<string>,
  ) {}

  /** Calls that ended within the last day, newest first. */
  async finished(before: string | null, limit = 50): Promise<Page> {
    const query = new URLSearchParams({ status: "finished", limit: String(limit) });
    if (before) query.set("before", before);
    const page = await this.json<{ calls: CallRow[]; next?: string | null }>(`v1/calls?${query}`);
    return { calls: page.calls, next: page.next ?? null };
  }

  async call(callId: string): Promise<CallWire> {
    return (await this.json<{ call: CallWire }>(`v1/calls/${encodeURIComponent(callId)}`)).call;
  }

  /** An address that an `<audio>` may be given; good for a while. */
  async recording(callId: string): Promise<string> {
    const path = `/v1/calls/${encodeURIComponent(callId)}/recording`;
    const { url } = await this.json<{ url: string }>("v1/tickets", { path });
    return new URL(url, this.base).href;
  }

  websocket(): string {
    const url = new URL("v1/ws", this.base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
  }

  private async json<Answer>(path: string, body?: unknown): Promise<Answer> {
    const headers: Record<string, string> = { Authorization: `Bearer ${await this.token()}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const asked: RequestInit = body === undefined ? { headers } : { headers, method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(new URL(path, this.base), asked);
    if (!answer.ok) throw new Unanswered(answer.status);
    return (await answer.json()) as Answer;
  }
}
