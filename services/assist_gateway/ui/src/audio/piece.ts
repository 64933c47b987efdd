/** A piece of a call's audio as the gateway sends it: see "Audio" in PROTOCOL.md. */

export type Channel = "agent" | "customer" | "mixed";

export interface Piece {
  readonly channel: Channel;
  readonly stream: number;
  readonly leg: number;
  readonly rateHz: number;
  /** On the call's media clock. */
  readonly startMs: number;
  readonly ends: boolean;
  /** -1 to 1. */
  readonly samples: Float32Array<ArrayBuffer>;
}

const HEADER_BYTES = 24;
const VERSION = 1;
const CHANNELS: readonly Channel[] = ["agent", "customer", "mixed"];
const PCMU = 0;
const PCM16 = 1;

/** The piece, or null for a version or codec that this page does not know. */
export function readPiece(message: ArrayBuffer): Piece | null {
  if (message.byteLength < HEADER_BYTES) return null;
  const view = new DataView(message);
  if (view.getUint8(0) !== VERSION) return null;
  const codec = view.getUint8(2);
  const samples = codec === PCMU ? mulaw(message) : codec === PCM16 ? linear16(view) : null;
  if (samples === null) return null;
  return {
    channel: CHANNELS[view.getUint8(1)] ?? "mixed",
    ends: (view.getUint8(3) & 1) === 1,
    stream: view.getUint16(4),
    leg: view.getUint16(6),
    rateHz: view.getUint32(8),
    startMs: view.getUint32(12),
    samples,
  };
}

/** ITU-T G.711 µ-law, every code's value between -1 and 1. */
const MULAW = Float32Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return (bits & 0x80 ? -magnitude : magnitude) / 32768;
});

function mulaw(message: ArrayBuffer): Float32Array<ArrayBuffer> {
  return Float32Array.from(new Uint8Array(message, HEADER_BYTES), (code) => MULAW[code] ?? 0);
}

function linear16(view: DataView): Float32Array<ArrayBuffer> {
  const count = (view.byteLength - HEADER_BYTES) >> 1;
  return Float32Array.from({ length: count }, (_, i) => view.getInt16(HEADER_BYTES + 2 * i, true) / 32768);
}
