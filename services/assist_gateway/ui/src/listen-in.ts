/** Listening in on one call: what was asked for, what the gateway answered, what sounds. */

import { Listener } from "./audio/listener.js";
import type { Levels } from "./audio/playout.js";
import type { EndOfListening, FromGateway, ToGateway } from "./protocol.js";

export interface Listening {
  readonly phase: "off" | "asked" | "on";
  readonly callId: string;
  /** Why it is not heard, for people; empty where there is nothing to say. */
  readonly trouble: string;
}

const ENDED: Record<EndOfListening, string> = {
  stopped: "",
  replaced: "",
  call_ended: "The call is over.",
  not_permitted: "You may not listen to this call.",
  unavailable: "No audio of this call is to be had.",
};
const REFUSED: Record<string, string> = {
  not_permitted: "You may not listen to this call.",
  not_live: "The call is over.",
  listening_off: "Listening in is switched off here.",
};

export class ListenIn {
  private state: Listening = { phase: "off", callId: "", trouble: "" };
  private readonly listener: Listener;

  constructor(
    private readonly send: (message: ToGateway) => boolean,
    private readonly changed: (state: Listening) => void,
    onLevels: (levels: Levels) => void,
  ) {
    this.listener = new Listener(onLevels, (what) => this.stop(what));
  }

  start(callId: string): void {
    const sent = this.send({ type: "listen", call_id: callId });
    this.become(sent ? { phase: "asked", callId, trouble: "" } : { phase: "off", callId, trouble: "Not connected." });
  }

  stop(trouble = ""): void {
    if (this.state.phase === "off") return;
    this.send({ type: "unlisten" });
    this.finish(trouble);
  }

  /** The connection broke: what was heard before does not come back by itself. */
  broken(): void {
    if (this.state.phase !== "off") this.finish("The connection was lost: listen again.");
  }

  take(message: FromGateway): void {
    if (message.type === "listening" && message.call_id === this.state.callId) {
      this.listener.begin(message.stream);
      this.become({ ...this.state, phase: "on" });
    }
    if (message.type === "listen_ended" && message.call_id === this.state.callId && this.state.phase === "on")
      this.finish(ENDED[message.reason] ?? "");
    if (message.type === "error" && this.state.phase === "asked") {
      const why = REFUSED[message.code];
      if (why !== undefined) this.finish(why);
    }
  }

  hear(piece: ArrayBuffer): void {
    this.listener.take(piece);
  }

  private finish(trouble: string): void {
    this.listener.end();
    this.become({ ...this.state, phase: "off", trouble });
  }

  private become(state: Listening): void {
    this.state = state;
    this.changed(state);
  }
}
