/** Sounds what the gateway sends of a live call. */

import { type Piece, readPiece } from "./piece.js";
import type { Levels } from "./playout.js";

const WORKLET = new URL("./listen-worklet.js", document.baseURI);

export class Listener {
  private context: AudioContext | null = null;
  private node: AudioWorkletNode | null = null;
  private waiting: Piece[] = [];
  private stream = -1;
  private preparing = false;

  constructor(
    private readonly onLevels: (levels: Levels) => void,
    private readonly onTrouble: (what: string) => void,
  ) {}

  /** The gateway said that a stream begins. */
  begin(stream: number): void {
    this.stream = stream;
  }

  take(message: ArrayBuffer): void {
    const piece = readPiece(message);
    if (piece === null || piece.stream !== this.stream) return;
    if (this.node) {
      this.node.port.postMessage(piece);
      return;
    }
    this.waiting.push(piece);
    if (!this.preparing) void this.prepare(piece.rateHz);
  }

  end(): void {
    this.stream = -1;
    this.waiting = [];
    this.node?.disconnect();
    this.node = null;
    void this.context?.close();
    this.context = null;
  }

  /** A context of the audio's own rate: the browser then does the resampling. */
  private async prepare(rateHz: number): Promise<void> {
    this.preparing = true;
    const { stream } = this;
    try {
      const context = new AudioContext({ sampleRate: rateHz, latencyHint: "interactive" });
      this.context = context;
      await context.audioWorklet.addModule(WORKLET);
      await context.resume();
      if (this.stream !== stream || this.context !== context) return;
      const node = new AudioWorkletNode(context, "earshot-listening", {
        numberOfInputs: 0,
        outputChannelCount: [2],
      });
      node.port.onmessage = (event: MessageEvent<Levels>) => this.onLevels(event.data);
      node.connect(context.destination);
      for (const piece of this.waiting) node.port.postMessage(piece);
      this.waiting = [];
      this.node = node;
    } catch {
      this.onTrouble(
        window.isSecureContext ? "This browser cannot play the call." : "Listening in needs the page over HTTPS.",
      );
    } finally {
      this.preparing = false;
    }
  }
}
