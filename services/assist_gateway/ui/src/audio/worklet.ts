/** Runs on the browser's audio thread: a file of its own, for the page's policy allows no inline code. */

import type { Piece } from "./piece.js";
import { Playout } from "./playout.js";

declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, made: new () => AudioWorkletProcessor): void;

const BLOCKS_A_LEVEL = 8;

class Listening extends AudioWorkletProcessor {
  private readonly playout = new Playout(sampleRate);
  private blocks = 0;

  constructor() {
    super();
    this.port.onmessage = (event: MessageEvent<Piece>) => this.playout.put(event.data);
  }

  process(_inputs: unknown, outputs: Float32Array[][]): boolean {
    const [left, right] = outputs[0] ?? [];
    if (left && right) this.playout.pull(left, right);
    this.blocks += 1;
    if (this.blocks % BLOCKS_A_LEVEL === 0) this.port.postMessage(this.playout.levels());
    return true;
  }
}

registerProcessor("earshot-listening", Listening);
