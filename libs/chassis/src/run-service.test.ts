import { ManualClock } from "@sotto/clock";
import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";
import type { ProgramEvent, ProgramHost } from "./program-host.ts";
import { runService, type StartService } from "./run-service.ts";
import { StartError } from "./start-error.ts";

class FakeHost implements ProgramHost {
  readonly exits: number[] = [];
  readonly complaints: string[] = [];
  codeOfItself = 0;
  readonly #listeners = new Map<ProgramEvent, (reason: unknown) => void>();

  on(event: ProgramEvent, listener: (reason: unknown) => void): () => void {
    this.#listeners.set(event, listener);
    return () => void this.#listeners.delete(event);
  }
  setExitCode(code: number): void {
    this.codeOfItself = code;
  }
  exit(code: number): void {
    this.exits.push(code);
  }
  complain(line: string): void {
    this.complaints.push(line);
  }
  emit(event: ProgramEvent, reason?: unknown): void {
    this.#listeners.get(event)?.(reason);
  }
}

function run(start: StartService) {
  const host = new FakeHost();
  const clock = new ManualClock();
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  const logger = createLogger({ service: "test", json: true, destination });
  const done = runService(start, { host, clock, logger, graceMs: 1000 });
  return { host, clock, lines, done };
}

const part = (name: string, order: string[]): AsyncDisposable => ({
  [Symbol.asyncDispose]: async () => void order.push(name),
});

test("a signal drains, then disposes the parts in reverse order, and exits with 0", async () => {
  const order: string[] = [];
  const { host, clock, done } = run(async (owned) => {
    owned.use(part("store", order));
    owned.use(part("listener", order));
    return { drain: async () => void order.push("drain") };
  });
  await clock.advance(0);
  expect(order).toEqual([]);
  host.emit("SIGTERM");
  await done;
  expect(order).toEqual(["drain", "listener", "store"]);
  expect(host.exits).toEqual([0]);
});

test("a part that never ends costs the grace and exit code 1", async () => {
  const { host, clock, done } = run(async (owned) => {
    owned.defer(() => new Promise(() => undefined));
    return undefined;
  });
  await clock.advance(0);
  host.emit("SIGINT");
  await clock.advance(999);
  expect(host.exits).toEqual([]);
  expect(host.codeOfItself).toBe(1);
  await clock.advance(1);
  await done;
  expect(host.exits).toEqual([1]);
});

test("draining that takes too long is told so, and the parts are disposed all the same", async () => {
  const order: string[] = [];
  const { host, clock, done } = run(async (owned) => {
    owned.use(part("store", order));
    return {
      drain: (signal) => {
        signal.addEventListener("abort", () => order.push("cut short"));
        return new Promise(() => undefined);
      },
    };
  });
  await clock.advance(0);
  host.emit("SIGTERM");
  await clock.advance(500);
  await done;
  expect(order).toEqual(["cut short", "store"]);
  expect(host.exits).toEqual([0]);
});

test("a second signal exits at once", async () => {
  const { host, clock, done } = run(async (owned) => {
    owned.defer(() => new Promise(() => undefined));
    return undefined;
  });
  await clock.advance(0);
  host.emit("SIGTERM");
  await clock.advance(300);
  host.emit("SIGTERM");
  expect(host.exits).toEqual([130]);
  await clock.advance(1000);
  await done;
});

test("one Ctrl-C that comes twice is one", async () => {
  const order: string[] = [];
  const { host, clock, done } = run(async (owned) => {
    owned.use(part("store", order));
    return { drain: () => clock.sleep(400) };
  });
  await clock.advance(0);
  host.emit("SIGINT");
  await clock.advance(299);
  host.emit("SIGINT");
  await clock.advance(200);
  await done;
  expect(order).toEqual(["store"]);
  expect(host.exits).toEqual([0]);
});

test("a signal during the start stops the program once it has started", async () => {
  const order: string[] = [];
  const { host, done } = run(async (owned, signal) => {
    owned.use(part("store", order));
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    return undefined;
  });
  host.emit("SIGINT");
  await done;
  expect(order).toEqual(["store"]);
  expect(host.exits).toEqual([0]);
});

test("a start that fails disposes what had started, and exits with 1", async () => {
  const order: string[] = [];
  const { host, lines, done } = run(async (owned) => {
    owned.use(part("store", order));
    throw new Error("broken");
  });
  await done;
  expect(order).toEqual(["store"]);
  expect(host.exits).toEqual([1]);
  expect(lines.join("")).toContain("the service could not start");
});

test("a StartError is one line for people", async () => {
  const { host, lines, done } = run(async () => {
    throw new StartError("port 7443 is taken");
  });
  await done;
  expect(host.complaints).toEqual(["port 7443 is taken"]);
  expect(lines).toEqual([]);
  expect(host.exits).toEqual([1]);
});

test.each(["uncaughtException", "unhandledRejection"] as const)(
  "%s is logged and exits with 1",
  async (event) => {
    const { host, clock, lines, done } = run(async () => undefined);
    await clock.advance(0);
    host.emit(event, new Error("lost"));
    expect(host.exits).toEqual([1]);
    expect(lines.join("")).toContain("lost");
    host.emit("SIGTERM");
    await done;
  },
);
