import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import { Outbox } from "./outbox.ts";

/** A wire that takes writes until it is full, and remembers them. */
class FakeWire {
  writes: string[] = [];
  bufferedBytes = 0;
  takes = Number.POSITIVE_INFINITY;

  write(bytes: Uint8Array): boolean {
    this.writes.push(Buffer.from(bytes).toString());
    this.takes -= 1;
    if (this.takes <= 0) this.bufferedBytes += bytes.length;
    return this.takes > 0;
  }

  writePair(first: Uint8Array, second: Uint8Array): boolean {
    return this.write(Buffer.concat([first, second]));
  }

  empty(): void {
    this.takes = Number.POSITIVE_INFINITY;
    this.bufferedBytes = 0;
  }
}

function setUp(bytesMax = 100_000) {
  const wire = new FakeWire();
  const overflowed = vi.fn();
  const scheduled: Outbox[] = [];
  const schedule = (outbox: Outbox) => scheduled.push(outbox);
  const outbox = new Outbox({ wire, bytesMax, schedule, overflowed });
  const turn = () => {
    for (const each of scheduled.splice(0)) each.flush();
  };
  return { wire, overflowed, outbox, turn, scheduled };
}

const bytes = (text: string) => Buffer.from(text);
const media = (text: string, taken: () => void = () => undefined, stream = 1) => ({
  stream,
  header: bytes("<"),
  body: bytes(`${text}>`),
  taken,
});

describe("an outbox", () => {
  it("joins the frames of one turn into one write", () => {
    const { wire, outbox, turn, scheduled } = setUp();
    for (const text of ["a", "b", "c"]) outbox.push(bytes(text));
    expect(scheduled).toHaveLength(1);
    turn();
    expect(wire.writes).toEqual(["abc"]);
  });

  it("passes a lone frame on without copying it", () => {
    const { wire, outbox, turn } = setUp();
    const frame = bytes("alone");
    const write = vi.spyOn(wire, "write");
    outbox.push(frame);
    turn();
    expect(write.mock.calls[0]?.[0]).toBe(frame);
  });

  it("writes messages before media, and no more than one media frame between them", () => {
    const { wire, outbox, turn } = setUp();
    wire.takes = 2;
    outbox.pushMedia(media("1"));
    outbox.pushMedia(media("2"));
    outbox.push(bytes("a"));
    turn();
    outbox.push(bytes("b"));
    wire.empty();
    outbox.drained();
    expect(wire.writes).toEqual(["a", "<1>", "b", "<2>"]);
  });

  it("keeps the order of frames that do not fit into one write", () => {
    const { wire, outbox, turn } = setUp(1_000_000);
    const texts = ["a", "b", "c", "d"].map((letter) => letter.repeat(30_000));
    for (const text of texts) outbox.push(bytes(text));
    turn();
    expect(wire.writes.join("")).toBe(texts.join(""));
    expect(wire.writes.length).toBe(2);
  });

  it("waits while the wire is full, and says so when its bound is passed", () => {
    const { wire, outbox, turn, overflowed } = setUp(1000);
    wire.takes = 1;
    outbox.push(bytes("x".repeat(400)));
    turn();
    outbox.push(bytes("y".repeat(300)));
    expect(wire.writes).toEqual(["x".repeat(400)]);
    expect(overflowed).not.toHaveBeenCalled();
    outbox.push(bytes("z".repeat(100)));
    expect(overflowed).toHaveBeenCalled();
  });

  it("counts what small frames cost beside their bytes, as long as they wait", () => {
    const { wire, outbox, turn, overflowed } = setUp(10_000);
    for (let round = 0; round < 3; round++) {
      wire.takes = 1;
      outbox.push(bytes("x"));
      turn();
      for (let count = 0; count < 38; count++) outbox.push(bytes("tiny"));
      expect(overflowed).not.toHaveBeenCalled();
      wire.empty();
      outbox.drained();
      expect(outbox.waitingBytes).toBe(0);
    }
    wire.takes = 1;
    outbox.push(bytes("x"));
    turn();
    for (let count = 0; count < 39; count++) outbox.push(bytes("tiny"));
    expect(overflowed).toHaveBeenCalled();
  });

  it("goes by the bound that it is given later", () => {
    const { wire, outbox, turn, overflowed } = setUp(300);
    outbox.setLimit(1000);
    wire.takes = 1;
    for (const text of ["a", "b", "c"]) {
      outbox.push(bytes(text));
      turn();
    }
    expect(overflowed).not.toHaveBeenCalled();
    outbox.setLimit(300);
    outbox.push(bytes("d"));
    expect(overflowed).toHaveBeenCalled();
  });

  it("lets go of what is written, though more always waits", async () => {
    const { wire, outbox, turn } = setUp(10_000_000);
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const written: WeakRef<Uint8Array>[] = [];
    const push = () => {
      const frame = new Uint8Array(60_000);
      written.push(new WeakRef(frame));
      outbox.push(frame);
    };
    wire.takes = 1;
    push();
    turn();
    push();
    for (let count = 0; count < 100; count++) {
      push();
      wire.empty();
      wire.takes = 1;
      wire.writes = [];
      outbox.drained();
    }
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    const kept = written.filter((frame) => frame.deref() !== undefined);
    expect(kept.length).toBeLessThan(5);
    expect(outbox.waitingBytes).toBeGreaterThan(60_000);
  });

  it("wakes who waits for room", async () => {
    const { wire, outbox, turn } = setUp();
    wire.takes = 1;
    outbox.push(bytes("0123456789"));
    turn();
    let woke = false;
    const waiting = outbox.below(5).then(() => {
      woke = true;
    });
    await Promise.resolve();
    expect(woke).toBe(false);
    wire.empty();
    outbox.drained();
    await waiting;
    await outbox.below(5);
  });

  it("tells when a media frame was taken, and when it was thrown away", () => {
    const { wire, outbox, turn } = setUp();
    const [first, second, third] = [vi.fn(), vi.fn(), vi.fn()];
    wire.takes = 1;
    outbox.pushMedia(media("1", first));
    turn();
    outbox.pushMedia(media("2", second, 2));
    outbox.pushMedia(media("3", third, 3));
    expect(first).toHaveBeenCalled();
    outbox.dropMedia(2);
    expect(second).toHaveBeenCalled();
    expect(third).not.toHaveBeenCalled();
    outbox.close();
    expect(third).toHaveBeenCalled();
  });

  it("finishes after what is there is written, and takes nothing after a close", () => {
    const { wire, outbox } = setUp();
    wire.takes = 1;
    outbox.push(bytes("x".repeat(70_000)));
    outbox.push(bytes("last"));
    const flushed = vi.fn();
    outbox.finish(flushed);
    expect(flushed).not.toHaveBeenCalled();
    wire.empty();
    outbox.drained();
    expect(flushed).toHaveBeenCalledTimes(1);
    expect(wire.writes.at(-1)).toBe("last");
    outbox.close();
    outbox.push(bytes("late"));
    outbox.flush();
    expect(wire.writes.at(-1)).toBe("last");
  });
});
