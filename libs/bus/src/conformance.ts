import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Bus, BusError, busMessageBytesMax } from "./bus.ts";
import { SubjectError } from "./subject.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (data: Uint8Array) => new TextDecoder().decode(data);

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
}

/** Lets what is under way arrive. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 60));

/** The law of the `Bus` port. `open` gives two ends of one bus, and closes them afterwards. */
export function describeBus(
  name: string,
  open: () => Promise<{ one: Bus; other: Bus; errors: unknown[] } & AsyncDisposable>,
): void {
  describe(`bus: ${name}`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let one: Bus;
    let other: Bus;
    beforeEach(async () => {
      opened = await open();
      ({ one, other } = opened);
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    test("messages of one publisher on one subject arrive in order, each once", async () => {
      const seen: string[] = [];
      await other.subscribe("order.a", ({ data }) => void seen.push(textOf(data)));
      for (let i = 0; i < 500; i++) one.publish("order.a", bytes(String(i)));
      await until(() => seen.length >= 500);
      await settle();
      expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
    });

    test("a subscriber sees what is published after subscribe() resolved, and nothing from before", async () => {
      one.publish("past.a", bytes("before"));
      await settle();
      const seen: string[] = [];
      await other.subscribe("past.a", ({ data }) => void seen.push(textOf(data)));
      one.publish("past.a", bytes("after"));
      await until(() => seen.length > 0);
      expect(seen).toEqual(["after"]);
    });

    test("a subscription with wildcards gets what fits it", async () => {
      const star: string[] = [];
      const rest: string[] = [];
      await other.subscribe("wild.*.x", ({ subject }) => void star.push(subject));
      await other.subscribe("wild.>", ({ subject }) => void rest.push(subject));
      for (const subject of ["wild.a.x", "wild.a.y", "wild.a.b.x", "wild", "other.a.x"])
        one.publish(subject, bytes("."));
      await until(() => rest.length >= 3);
      await settle();
      expect(star).toEqual(["wild.a.x"]);
      expect(rest).toEqual(["wild.a.x", "wild.a.y", "wild.a.b.x"]);
    });

    test("members of a queue group share the messages", async () => {
      const counts = [0, 0];
      const count = (i: number) => {
        counts[i] = (counts[i] ?? 0) + 1;
      };
      for (const i of [0, 1]) await other.subscribe("queue.a", () => count(i), { queue: "q" });
      for (let i = 0; i < 100; i++) one.publish("queue.a", bytes("."));
      await until(() => (counts[0] ?? 0) + (counts[1] ?? 0) === 100);
      await settle();
      expect(counts[0]).toBeGreaterThan(0);
      expect(counts[1]).toBeGreaterThan(0);
    });

    test("a handler gets one message at a time, and one that throws does not end the subscription", async () => {
      let running = 0;
      let most = 0;
      let count = 0;
      await other.subscribe("turn.a", async ({ data }) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
        count++;
        if (textOf(data) === "3") throw new Error("handler failed");
      });
      for (let i = 0; i < 10; i++) one.publish("turn.a", bytes(String(i)));
      await until(() => count === 10);
      expect(most).toBe(1);
      expect(opened.errors).toHaveLength(1);
    });

    test("over its bound a subscription drops the newest and says how many", async () => {
      const seen: string[] = [];
      let dropped = 0;
      let release: () => void = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      await other.subscribe(
        "bound.a",
        async ({ data }) => {
          await held;
          seen.push(textOf(data));
        },
        {
          pendingMax: 10,
          onDropped: (count) => {
            dropped += count;
          },
        },
      );
      for (let i = 0; i < 50; i++) one.publish("bound.a", bytes(String(i)));
      // The first to arrive is with the handler or still waits: 39 or 40 do not fit.
      await until(() => dropped >= 39);
      await settle();
      release();
      await until(() => seen.length + dropped === 50);
      expect(seen.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
      expect(seen).toEqual(seen.toSorted((a, b) => Number(a) - Number(b)));
      expect(seen.length).toBeLessThanOrEqual(11);
    });

    test("nothing is delivered after a subscription was disposed", async () => {
      const seen: string[] = [];
      const subscription = await other.subscribe(
        "gone.a",
        ({ data }) => void seen.push(textOf(data)),
      );
      await subscription[Symbol.asyncDispose]();
      await subscription[Symbol.asyncDispose]();
      one.publish("gone.a", bytes("late"));
      await settle();
      expect(seen).toEqual([]);
    });

    test("the publisher may reuse its buffer, and receivers do not share one", async () => {
      const seen: Uint8Array[] = [];
      for (let i = 0; i < 2; i++)
        await other.subscribe("buffer.a", ({ data }) => void seen.push(data));
      const buffer = bytes("one");
      one.publish("buffer.a", buffer);
      buffer.set(bytes("two"));
      await until(() => seen.length === 2);
      expect(seen.map(textOf)).toEqual(["one", "one"]);
      seen[0]?.fill(0);
      expect(textOf(seen[1] as Uint8Array)).toBe("one");
    });

    test("a call is answered by one of those who serve", async () => {
      for (const who of ["a", "b"]) {
        await other.serve("call.a", async ({ data }) => bytes(`${who}:${textOf(data)}`), {
          queue: "q",
        });
      }
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          one.request("call.a", bytes(String(i)), { timeoutMs: 2000 }),
        ),
      );
      expect(answers.map((data) => textOf(data).split(":")[1])).toEqual(
        Array.from({ length: 20 }, (_, i) => String(i)),
      );
    });

    test("a call without a service, without an answer in time, or to one that fails says so", async () => {
      await expect(one.request("nobody.a", bytes("?"), { timeoutMs: 500 })).rejects.toMatchObject({
        code: "NO_RESPONDERS",
      });
      await other.serve("slow.a", () => new Promise(() => {}), { queue: "q" });
      await expect(one.request("slow.a", bytes("?"), { timeoutMs: 50 })).rejects.toMatchObject({
        code: "TIMEOUT",
      });
      await other.serve("fails.a", async () => Promise.reject(new Error("secret")), { queue: "q" });
      const failure = await one
        .request("fails.a", bytes("?"), { timeoutMs: 500 })
        .catch((error) => error);
      expect(failure).toBeInstanceOf(BusError);
      expect(failure.code).toBe("HANDLER_FAILED");
      expect(failure.message).not.toContain("secret");
      expect(opened.errors).toHaveLength(1);
    });

    test("a service whose queue is full answers BUSY, and the calls that wait are answered", async () => {
      let release: () => void = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const handler = async () => held.then(() => bytes("done"));
      await other.serve("busy.a", handler, { queue: "q", concurrency: 1, pendingMax: 1 });
      const calls = Array.from({ length: 3 }, () =>
        one.request("busy.a", bytes("?"), { timeoutMs: 3000 }),
      );
      const outcomes = Promise.allSettled(calls);
      await Promise.race(calls.map((call) => call.catch(() => {})));
      release();
      const settled = await outcomes;
      expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
      expect(settled.find(({ status }) => status === "rejected")).toMatchObject({
        reason: { code: "BUSY" },
      });
    });

    test("an answer that is too large is a failure of the service, and the next is answered", async () => {
      await other.serve(
        "huge.a",
        async ({ data }) => new Uint8Array(textOf(data) === "huge" ? busMessageBytesMax + 1 : 1),
        { queue: "q" },
      );
      await expect(one.request("huge.a", bytes("huge"), { timeoutMs: 2000 })).rejects.toMatchObject(
        { code: "HANDLER_FAILED" },
      );
      expect(await one.request("huge.a", bytes("small"), { timeoutMs: 2000 })).toHaveLength(1);
      expect(opened.errors).toHaveLength(1);
    });

    test("no handler starts after a service was disposed, not even for a call that waited", async () => {
      const begun: string[] = [];
      const held = Promise.withResolvers<Uint8Array>();
      const service = await other.serve(
        "ending.a",
        ({ data }) => {
          begun.push(textOf(data));
          return held.promise;
        },
        { queue: "q", concurrency: 1 },
      );
      const calls = ["one", "two"].map((text) =>
        one.request("ending.a", bytes(text), { timeoutMs: 2000 }).catch((error) => error.code),
      );
      await until(() => begun.length === 1);
      await settle();
      await service[Symbol.asyncDispose]();
      held.resolve(bytes("done"));
      const [first, second] = await Promise.all(calls);
      expect([textOf(first as Uint8Array), second]).toEqual(["done", "BUSY"]);
      expect(begun).toEqual(["one"]);
    });

    test("an aborted call rejects with the signal's reason", async () => {
      await other.serve("abort.a", () => new Promise(() => {}), { queue: "q" });
      const stop = new AbortController();
      const call = one.request("abort.a", bytes("?"), { timeoutMs: 5000, signal: stop.signal });
      stop.abort(new Error("enough"));
      await expect(call).rejects.toThrow("enough");
    });

    test("messages that are too large, and subjects that are none, are refused", async () => {
      const large = new Uint8Array(busMessageBytesMax + 1);
      expect(() => one.publish("size.a", large)).toThrow(BusError);
      await expect(one.request("size.a", large, { timeoutMs: 100 })).rejects.toMatchObject({
        code: "TOO_LARGE",
      });
      for (const subject of ["", ".", "a..b", "a b", "a.*", "a.>", "ä"]) {
        expect(() => one.publish(subject, bytes("."))).toThrow(SubjectError);
      }
      for (const subject of ["", ">", "a.>.b", "a.b*"]) {
        await expect(other.subscribe(subject, () => {})).rejects.toThrow(SubjectError);
      }
    });

    test("a closed bus takes nothing more", async () => {
      expect(one.connected).toBe(true);
      await one[Symbol.asyncDispose]();
      expect(one.connected).toBe(false);
      expect(() => one.publish("closed.a", bytes("."))).toThrow(BusError);
    });
  });
}
