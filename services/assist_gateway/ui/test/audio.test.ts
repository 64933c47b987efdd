import { describe, expect, it } from "vitest";
import { readPiece } from "../src/audio/piece.js";
import { DELAY_MS, Playout } from "../src/audio/playout.js";

const RATE_HZ = 8000;

function message(codec: number, audio: readonly number[], changes: { version?: number } = {}): ArrayBuffer {
  const made = new ArrayBuffer(24 + audio.length);
  const view = new DataView(made);
  view.setUint8(0, changes.version ?? 1);
  view.setUint8(1, 1);
  view.setUint8(2, codec);
  view.setUint8(3, 1);
  view.setUint16(4, 300);
  view.setUint16(6, 2);
  view.setUint32(8, RATE_HZ);
  view.setUint32(12, 70_000);
  audio.forEach((byte, index) => view.setUint8(24 + index, byte));
  return made;
}

describe("a piece", () => {
  it("is read with its header, G.711 mu-law as ITU-T tables have it", () => {
    const piece = readPiece(message(0, [0xff, 0x7f, 0x80, 0x00]));
    expect(piece).toMatchObject({
      channel: "customer", ends: true, stream: 300, leg: 2, rateHz: RATE_HZ, startMs: 70_000,
    });
    expect([...(piece?.samples ?? [])].map((sample) => Math.round(sample * 32768))).toEqual([0, -0, 32124, -32124]);
  });

  it("is read as linear samples, low byte first", () => {
    const samples = readPiece(message(1, [0x00, 0x40, 0x00, 0xc0]))?.samples;
    expect([...(samples ?? [])]).toEqual([0.5, -0.5]);
  });

  it("of a version or codec that is not known is left alone", () => {
    expect([readPiece(message(0, [], { version: 2 })), readPiece(message(9, [])), readPiece(new ArrayBuffer(3))]).toEqual([
      null, null, null,
    ]);
  });
});

describe("the playout", () => {
  const tone = (ms: number, value = 0.5): Float32Array => new Float32Array((ms * RATE_HZ) / 1000).fill(value);
  const pulled = (playout: Playout, ms: number): { left: Float32Array; right: Float32Array } => {
    const [left, right] = [tone(ms, 9), tone(ms, 9)];
    playout.pull(left, right);
    return { left, right };
  };
  const put = (playout: Playout, startMs: number, ms = 200, channel: "agent" | "customer" = "agent"): void =>
    playout.put({ channel, rateHz: RATE_HZ, startMs, samples: tone(ms) });

  it("is silent, then plays each leg at its place on the call's clock", () => {
    const playout = new Playout(RATE_HZ);
    expect(pulled(playout, 10).left.every((sample) => sample === 0)).toBe(true);
    put(playout, 10_000);
    put(playout, 10_100, 200, "customer");
    expect(pulled(playout, DELAY_MS).left.every((sample) => sample === 0)).toBe(true);
    const agentAlone = pulled(playout, 100);
    expect(agentAlone.left[0]).toBeCloseTo(0.5);
    expect(agentAlone.right[0]).toBeCloseTo(0.175);
    expect(pulled(playout, 100).left[0]).toBeCloseTo(0.675);
    expect(pulled(playout, 100).right[0]).toBeCloseTo(0.5);
    expect(pulled(playout, 100).left.every((sample) => sample === 0)).toBe(true);
  });

  it("loses and repeats no sample of pieces that come in time", () => {
    const playout = new Playout(RATE_HZ);
    let sum = 0;
    for (let piece = 0; piece < 20; piece += 1) {
      put(playout, piece * 200);
      sum += pulled(playout, 200).left.reduce((a, b) => a + b, 0);
    }
    sum += pulled(playout, 2 * DELAY_MS).left.reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(0.5 * 20 * 200 * (RATE_HZ / 1000), 0);
  });

  it("falls back behind a piece that comes too late, and jumps forward where too much waits", () => {
    const late = new Playout(RATE_HZ);
    put(late, 0);
    pulled(late, 3_000);
    put(late, 200);
    pulled(late, DELAY_MS);
    expect(pulled(late, 10).left[0]).toBeCloseTo(0.5);
    const behind = new Playout(RATE_HZ);
    put(behind, 0);
    put(behind, 5_000);
    pulled(behind, DELAY_MS);
    expect(pulled(behind, 10).left[0]).toBeCloseTo(0.5);
  });

  it("tells the level of each speaker since it was last asked", () => {
    const playout = new Playout(RATE_HZ);
    put(playout, 0);
    pulled(playout, DELAY_MS);
    playout.levels();
    pulled(playout, 200);
    expect(playout.levels().agent).toBeCloseTo(0.5);
    expect(playout.levels()).toEqual({ agent: 0, customer: 0, mixed: 0 });
  });

  it("brings another rate to its own", () => {
    const playout = new Playout(RATE_HZ);
    playout.put({ channel: "agent", rateHz: 16_000, startMs: 0, samples: new Float32Array(3200).fill(0.5) });
    pulled(playout, DELAY_MS);
    expect(pulled(playout, 200).left.filter((sample) => sample > 0.4)).toHaveLength(1600);
  });
});
