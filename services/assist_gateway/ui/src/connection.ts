/** The WebSocket to the gateway: says hello, asks for what the page shows, comes back by itself when it breaks. */

import type { FromGateway, ToGateway } from "./protocol.js";

export type Status = "connecting" | "live" | "reconnecting" | "refused";

/** What a connection needs of the browser, so that tests can stand in for it. */
export interface Surroundings {
  open(url: string): WebSocket;
  later(ms: number, then: () => void): void;
  random(): number;
}

export const BROWSER: Surroundings = {
  open: (url) => new WebSocket(url),
  later: (ms, then) => void setTimeout(then, ms),
  random: Math.random,
};

const UNAUTHORIZED = 4401;
const LONGEST_WAIT_MS = 10_000;

export class Connection {
  private socket: WebSocket | null = null;
  private watched = "";
  private tries = 0;
  private shown = false;

  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly onMessage: (message: FromGateway) => void,
    private readonly onStatus: (status: Status, code: string) => void,
    private readonly around: Surroundings = BROWSER,
  ) {}

  start(): void {
    this.onStatus(this.shown ? "reconnecting" : "connecting", "");
    const socket = this.around.open(this.url);
    let code = "";
    socket.onopen = () => {
      this.socket = socket;
      this.send({ type: "hello", token: this.token });
      this.send({ type: "watch_all", detail: "overview" });
      if (this.watched) this.send({ type: "watch", call_id: this.watched });
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      const message = JSON.parse(event.data) as FromGateway;
      if (message.type === "error") code = message.code;
      if (message.type === "snapshot") {
        this.tries = 0;
        this.shown = true;
        this.onStatus("live", "");
      }
      this.onMessage(message);
    };
    socket.onclose = (event: CloseEvent) => {
      this.socket = null;
      if (event.code === UNAUTHORIZED) this.onStatus("refused", code);
      else this.again();
    };
  }

  /** Show this call in full and no other. */
  watch(callId: string): void {
    if (callId === this.watched) return;
    if (this.watched) this.send({ type: "unwatch", call_id: this.watched });
    this.watched = callId;
    if (callId) this.send({ type: "watch", call_id: callId });
  }

  /** Whether it could be sent: nothing is kept for later. */
  send(message: ToGateway): boolean {
    if (this.socket === null) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private again(): void {
    this.onStatus("reconnecting", "");
    const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.tries);
    this.tries += 1;
    this.around.later(wait * (0.5 + this.around.random() / 2), () => this.start());
  }
}
