/** The WebSocket to the gateway: says hello, asks for what the page shows, comes back by itself and resumes. */

import { advanced } from "./cursor.js";
import type { Cursor, Detail, FromGateway, ToGateway } from "./protocol.js";

export type Status = "connecting" | "live" | "reconnecting" | "refused";

/** What a connection needs of the browser, so that tests can stand in for it. */
export interface Surroundings {
  open(url: string): WebSocket;
  later(ms: number, then: () => void): void;
  random(): number;
}

export const BROWSER: Surroundings = {
  open: (url) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    return socket;
  },
  later: (ms, then) => void setTimeout(then, ms),
  random: Math.random,
};

/** Who is told what. */
export interface Screen {
  told(message: FromGateway): void;
  heard(piece: ArrayBuffer): void;
  status(status: Status, code: string): void;
  /** What the screen has of each call, for a resume. */
  held(): Readonly<Record<string, Detail>>;
}

const UNAUTHORIZED = 4401;
const LONGEST_WAIT_MS = 10_000;

export class Connection {
  private socket: WebSocket | null = null;
  private watched = "";
  private cursor: Cursor | null = null;
  private tries = 0;
  /** Said hello: nothing may be sent before. */
  private greeted = false;
  private closed = false;

  constructor(
    private readonly url: string,
    private readonly token: () => Promise<string>,
    private readonly screen: Screen,
    private readonly around: Surroundings = BROWSER,
  ) {}

  start(): void {
    this.screen.status(this.cursor ? "reconnecting" : "connecting", "");
    const socket = this.around.open(this.url);
    this.socket = socket;
    this.greeted = false;
    let code = "";
    socket.onopen = () => void this.greet(socket);
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (typeof event.data !== "string") {
        this.screen.heard(event.data);
        return;
      }
      for (const line of event.data.split("\n")) {
        if (!line) continue;
        const message = JSON.parse(line) as FromGateway;
        if (message.type === "error") code = message.code;
        this.take(message);
      }
    };
    socket.onclose = (event: CloseEvent) => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.greeted = false;
      if (this.closed) return;
      if (event.code === UNAUTHORIZED) this.screen.status("refused", code);
      else this.again();
    };
  }

  /** For good. */
  close(): void {
    this.closed = true;
    this.socket?.close();
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
    if (this.socket === null || !this.greeted || this.socket.readyState !== 1) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private async greet(socket: WebSocket): Promise<void> {
    const token = await this.token();
    if (this.socket !== socket) return;
    this.greeted = true;
    this.send({ type: "hello", token });
    if (this.cursor) {
      const watch = this.watched ? [this.watched] : [];
      this.send({ type: "resume", cursor: this.cursor, calls: this.screen.held(), watch_all: "overview", watch });
      return;
    }
    this.send({ type: "watch_all", detail: "overview" });
    if (this.watched) this.send({ type: "watch", call_id: this.watched });
  }

  private take(message: FromGateway): void {
    const whole = (message.type === "snapshot" && message.complete) || message.type === "resumed";
    if (this.cursor || whole) this.cursor = advanced(this.cursor ?? {}, message);
    if (whole) {
      this.tries = 0;
      this.screen.status("live", "");
    }
    this.screen.told(message);
  }

  private again(): void {
    this.screen.status("reconnecting", "");
    const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.tries);
    this.tries += 1;
    this.around.later(wait * (0.5 + this.around.random() / 2), () => {
      if (!this.closed) this.start();
    });
  }
}
