/** Plays pieces of several legs at their place on the call's media clock, a little late, so that late ones still fit.
 *
 * One clock for all legs keeps both speakers in step. Where a piece comes too late for its place the playout falls
 * back; where more than `MOST_AHEAD_MS` waits, it jumps forward: what is heard is live, not a tape.
 */

import type { Channel } from "./piece.js";

export const DELAY_MS = 350;
const MOST_AHEAD_MS = 1_500;
const GAINS: Record<Channel, readonly [number, number]> = {
  agent: [1, 0.35],
  customer: [0.35, 1],
  mixed: [0.8, 0.8],
};

interface Queued {
  readonly start: number;
  readonly gains: readonly [number, number];
  readonly channel: Channel;
  readonly samples: Float32Array;
}

/** Sum of squares and count of what was played of a speaker since last asked. */
export type Levels = Record<Channel, number>;

export class Playout {
  private queue: Queued[] = [];
  /** Position on the media clock, in samples; null before the first piece. */
  private position: number | null = null;
  private energy: Record<Channel, number> = { agent: 0, customer: 0, mixed: 0 };
  private played = 0;

  constructor(private readonly rateHz: number) {}

  put(piece: { channel: Channel; rateHz: number; startMs: number; samples: Float32Array }): void {
    const samples = resampled(piece.samples, piece.rateHz, this.rateHz);
    if (!samples.length) return;
    const start = Math.round((piece.startMs * this.rateHz) / 1000);
    const end = start + samples.length;
    const delay = (DELAY_MS * this.rateHz) / 1000;
    if (this.position === null || end <= this.position) this.position = start - delay;
    else if (end - this.position > (MOST_AHEAD_MS * this.rateHz) / 1000) this.position = end - samples.length - delay;
    this.queue.push({ start, samples, channel: piece.channel, gains: GAINS[piece.channel] });
  }

  /** Fill one block of both ears and move on. */
  pull(left: Float32Array, right: Float32Array): void {
    left.fill(0);
    right.fill(0);
    const from = this.position;
    if (from === null) return;
    const to = from + left.length;
    for (const { start, samples, channel, gains } of this.queue) {
      const first = Math.max(start, from);
      const last = Math.min(start + samples.length, to);
      for (let at = first; at < last; at += 1) {
        const sample = samples[at - start] ?? 0;
        left[at - from] = (left[at - from] ?? 0) + sample * gains[0];
        right[at - from] = (right[at - from] ?? 0) + sample * gains[1];
        this.energy[channel] += sample * sample;
      }
    }
    this.position = to;
    this.played += left.length;
    this.queue = this.queue.filter(({ start, samples }) => start + samples.length > to);
  }

  /** The root mean square of each speaker since it was last asked for. */
  levels(): Levels {
    const rms = (channel: Channel): number => (this.played ? Math.sqrt(this.energy[channel] / this.played) : 0);
    const told = { agent: rms("agent"), customer: rms("customer"), mixed: rms("mixed") };
    this.energy = { agent: 0, customer: 0, mixed: 0 };
    this.played = 0;
    return told;
  }
}

/** The samples at another rate, by linear interpolation; calls are all of one rate as a rule. */
function resampled(samples: Float32Array, fromHz: number, toHz: number): Float32Array {
  if (fromHz === toHz || fromHz <= 0) return samples;
  const step = fromHz / toHz;
  return Float32Array.from({ length: Math.floor(samples.length / step) }, (_, i) => {
    const at = i * step;
    const before = samples[Math.floor(at)] ?? 0;
    const after = samples[Math.floor(at) + 1] ?? before;
    return before + (after - before) * (at - Math.floor(at));
  });
}
