import { beforeEach, expect, it } from "vitest";
import { Connection, type Status, type Surroundings } from "../src/connection.js";
import type { Detail, FromGateway } from "../src/protocol.js";

class FakeSocket {
  readyState = 1;
  sent: unknown[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  async open(): Promise<void> {
    this.onopen?.();
    await Promise.resolve();
    await Promise.resolve();
  }

  tell(...messages: unknown[]): void {
    this.onmessage?.({ data: messages.map((message) => JSON.stringify(message)).join("\n") });
  }

  close(): void {
    this.onclose?.({ code: 1000 });
  }
}

let sockets: FakeSocket[];
let later: { ms: number; then: () => void }[];
let statuses: [Status, string][];
let told: FromGateway[];
let heard: ArrayBuffer[];
let held: Record<string, Detail>;
let connection: Connection;

beforeEach(() => {
  [sockets, later, statuses, told, heard, held] = [[], [], [], [], [], {}];
  const around: Surroundings = {
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    later: (ms, then) => void later.push({ ms, then }),
    random: () => 1,
  };
  const screen = {
    told: (message: FromGateway) => void told.push(message),
    heard: (piece: ArrayBuffer) => void heard.push(piece),
    status: (status: Status, code: string) => void statuses.push([status, code]),
    held: () => held,
  };
  connection = new Connection("ws://x", () => Promise.resolve("t"), screen, around);
  connection.start();
});

const SNAPSHOT = { type: "snapshot", cursor: { a: 0 }, complete: true, calls: [] };
const HELLO = { type: "hello", token: "t" };

it("says hello, asks for the overview and for the watched call", async () => {
  connection.watch("c1");
  await sockets[0]?.open();
  sockets[0]?.tell(SNAPSHOT);
  connection.watch("c2");
  expect(sockets[0]?.sent).toEqual([
    HELLO, { type: "watch_all", detail: "overview" }, { type: "watch", call_id: "c1" }, { type: "unwatch", call_id: "c1" },
    { type: "watch", call_id: "c2" },
  ]);
});

it("resumes after a break from where it had read, and is live again once everything missed has come", async () => {
  await sockets[0]?.open();
  connection.watch("c2");
  sockets[0]?.tell(SNAPSHOT, { type: "lifecycle", at: "a:7", call_id: "c2", record: {} });
  held = { c1: "overview", c2: "full" };
  sockets[0]?.onclose?.({ code: 1006 });
  expect(connection.send({ type: "watch", call_id: "x" })).toBe(false);
  later[0]?.then();
  await sockets[1]?.open();
  expect(sockets[1]?.sent).toEqual([
    HELLO, { type: "resume", cursor: { a: 7 }, calls: held, watch_all: "overview", watch: ["c2"] },
  ]);
  expect(statuses.at(-1)?.[0]).toBe("reconnecting");
  sockets[1]?.tell({ type: "resumed", cursor: { a: 9 } });
  expect(statuses.map(([status]) => status)).toEqual(["connecting", "live", "reconnecting", "reconnecting", "live"]);
});

it("takes several messages at once, and audio apart from them", async () => {
  await sockets[0]?.open();
  sockets[0]?.tell(SNAPSHOT, { type: "gone", call_id: "c1" });
  const piece = new ArrayBuffer(24);
  sockets[0]?.onmessage?.({ data: piece });
  expect(told.map((message) => message.type)).toEqual(["snapshot", "gone"]);
  expect(heard).toEqual([piece]);
});

it("waits longer from try to try, and little again once it was connected", async () => {
  const wait = (index: number): number => {
    sockets[index]?.onclose?.({ code: 1006 });
    later[index]?.then();
    return later[index]?.ms ?? -1;
  };
  expect([0, 1, 2, 3, 4, 5, 6].map(wait)).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  await sockets[7]?.open();
  sockets[7]?.tell(SNAPSHOT);
  expect(wait(7)).toBe(500);
});

it("does not come back with a token that was refused, nor when it was closed", async () => {
  await sockets[0]?.open();
  sockets[0]?.tell({ type: "error", code: "token_expired" });
  sockets[0]?.onclose?.({ code: 4401 });
  expect(statuses.at(-1)).toEqual(["refused", "token_expired"]);
  connection.start();
  connection.close();
  expect(later).toEqual([]);
});
