/** What a screen knows and hears: the store, fed by the connection. The console's page and the embedded call share it. */

import type { ReactiveController, ReactiveControllerHost } from "lit";
import { Connection, type Status } from "./connection.js";
import type { Gateway } from "./gateway.js";
import type { FromGateway, ToGateway, Viewer } from "./protocol.js";
import { EMPTY, type Store, held, reduce } from "./store.js";

export class Session implements ReactiveController {
  store: Store = EMPTY;
  status: Status = "connecting";
  /** Why the token was refused. */
  refusal = "";
  viewer: Viewer | null = null;
  mayListen = false;
  /** Calls that the gateway would not show. */
  refused: ReadonlySet<string> = new Set();
  now = Date.now();
  private connection: Connection | null = null;
  private toldShown = new Set<string>();
  private waiting: FromGateway[] = [];
  private ticking = 0;
  /** The gateway's clock less this machine's, ms. */
  private ahead = 0;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly also: {
      told?(message: FromGateway): void;
      heard?(piece: ArrayBuffer): void;
      broken?(): void;
      settled?(): void;
    } = {},
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.ticking = window.setInterval(() => {
      this.now = Date.now() + this.ahead;
      this.host.requestUpdate();
    }, 1000);
  }

  hostDisconnected(): void {
    window.clearInterval(this.ticking);
    this.connection?.close();
    this.connection = null;
  }

  /** Begin, or begin anew with another gateway or token. */
  open(gateway: Gateway, token: () => Promise<string>): void {
    this.connection?.close();
    this.connection = new Connection(gateway.websocket(), token, {
      told: (message) => this.receive(message),
      heard: (piece) => this.also.heard?.(piece),
      status: (status, code) => this.turn(status, code),
      held: () => {
        this.settle();
        return held(this.store);
      },
    });
    this.connection.start();
  }

  send(message: ToGateway): boolean {
    return this.connection?.send(message) ?? false;
  }

  watch(callId: string): void {
    this.connection?.watch(callId);
  }

  /** An agent's own screen says which suggestions it showed; others only look on. */
  tellShown(callId: string): void {
    const call = this.store.calls.get(callId);
    if (!call || document.hidden || this.viewer?.role !== "agent") return;
    for (const id of call.suggestions.keys()) {
      if (this.toldShown.has(id) || call.feedback.has(id)) continue;
      if (this.send({ type: "feedback", suggestion_id: id, action: "shown" })) this.toldShown.add(id);
    }
  }

  private turn(status: Status, code: string): void {
    this.status = status;
    this.refusal = code;
    if (status === "refused") this.store = EMPTY;
    if (status === "reconnecting" || status === "refused") this.also.broken?.();
    this.host.requestUpdate();
  }

  /** Messages of one moment change the page once. */
  private receive(message: FromGateway): void {
    this.also.told?.(message);
    if (message.type === "welcome") {
      this.viewer = message.viewer;
      this.mayListen = message.may_listen;
      this.ahead = Date.parse(message.time) - Date.now() || 0;
    }
    if (message.type === "error" && message.code === "not_permitted" && message.call_id)
      this.refused = new Set(this.refused).add(message.call_id);
    if (this.waiting.push(message) > 1) return;
    queueMicrotask(() => this.settle());
  }

  private settle(): void {
    const told = this.waiting;
    this.waiting = [];
    if (!told.length) return;
    this.store = told.reduce(reduce, this.store);
    this.also.settled?.();
    this.host.requestUpdate();
  }
}
