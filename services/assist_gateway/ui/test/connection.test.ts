import { beforeEach, expect, it } from "vitest";
import { Connection, type Status, type Surroundings } from "../src/connection.js";

class FakeSocket {
  sent: unknown[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  tell(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

let sockets: FakeSocket[];
let later: { ms: number; then: () => void }[];
let statuses: [Status, string][];
let connection: Connection;

beforeEach(() => {
  [sockets, later, statuses] = [[], [], []];
  const around: Surroundings = {
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    later: (ms, then) => void later.push({ ms, then }),
    random: () => 1,
  };
  connection = new Connection("ws://x", "t", () => {}, (status, code) => void statuses.push([status, code]), around);
  connection.start();
});

const SNAPSHOT = { type: "snapshot", cursor: "i:0", complete: true, calls: [] };

it("says hello, asks for the overview and for the watched call, again after each break", () => {
  connection.watch("c1");
  sockets[0]?.onopen?.();
  sockets[0]?.tell(SNAPSHOT);
  connection.watch("c2");
  const hello = [{ type: "hello", token: "t" }, { type: "watch_all", detail: "overview" }];
  expect(sockets[0]?.sent).toEqual([
    ...hello, { type: "watch", call_id: "c1" }, { type: "unwatch", call_id: "c1" }, { type: "watch", call_id: "c2" },
  ]);
  sockets[0]?.onclose?.({ code: 1006 });
  expect(connection.send({ type: "watch", call_id: "x" })).toBe(false);
  later[0]?.then();
  sockets[1]?.onopen?.();
  expect(sockets[1]?.sent).toEqual([...hello, { type: "watch", call_id: "c2" }]);
  sockets[1]?.tell(SNAPSHOT);
  expect(statuses.map(([status]) => status)).toEqual(["connecting", "live", "reconnecting", "reconnecting", "live"]);
});

it("waits longer from try to try, and little again once it was connected", () => {
  const wait = (index: number): number => {
    sockets[index]?.onclose?.({ code: 1006 });
    later[index]?.then();
    return later[index]?.ms ?? -1;
  };
  expect([0, 1, 2, 3, 4, 5, 6].map(wait)).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  sockets[7]?.onopen?.();
  sockets[7]?.tell(SNAPSHOT);
  expect(wait(7)).toBe(500);
});

it("does not come back with a token that was refused", () => {
  sockets[0]?.onopen?.();
  sockets[0]?.tell({ type: "error", code: "token_expired" });
  sockets[0]?.onclose?.({ code: 4401 });
  expect(statuses.at(-1)).toEqual(["refused", "token_expired"]);
  expect(later).toEqual([]);
});
