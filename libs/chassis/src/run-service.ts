import { type Clock, systemClock } from "@sotto/clock";
import type { Logger } from "./logger.ts";
import { type ProgramHost, processHost } from "./program-host.ts";
import { StartError } from "./start-error.ts";

/** How a program ends. */
export const exitCodes = {
  /** Asked to stop, and stopped cleanly. */
  stopped: 0,
  /** Could not start, crashed, or did not stop within its grace. */
  failed: 1,
  /** A second signal cut the stopping short. */
  interrupted: 130,
} as const;

/** One Ctrl-C comes twice where npm runs the program: from the terminal, and handed on. */
const sameAskMs = 300;

/** What a program gives back once it runs. */
export interface RunningService {
  /** Turns new work away and lets what is under way end, until `signal` aborts. Disposal follows. */
  drain?(signal: AbortSignal): Promise<void>;
}

/**
 * Starts a program's parts. What is put into `owned` is disposed in reverse order when the
 * program stops, or when a later part fails to start. `signal` aborts where the program is
 * asked to stop before it runs.
 */
export type StartService = (
  owned: AsyncDisposableStack,
  signal: AbortSignal,
) => Promise<RunningService | undefined>;

export interface RunServiceOptions {
  readonly logger: Logger;
  /** Draining and disposing together may take this long; draining at most half of it. Default 10,000. */
  readonly graceMs?: number;
  readonly clock?: Clock;
  readonly host?: ProgramHost;
}

/**
 * Runs a program until SIGTERM or SIGINT, then drains it and disposes its parts in reverse
 * order within the grace; a second signal, unless it is the same one within 300 ms, exits at once. An exception that nobody caught, or a
 * rejection that nobody handled, is logged and ends the process with code 1. Resolves after
 * the host was told to exit.
 */
export async function runService(start: StartService, options: RunServiceOptions): Promise<void> {
  const { logger, clock = systemClock, host = processHost, graceMs = 10_000 } = options;
  const asked = watchSignals(host, logger, clock);
  const owned = new AsyncDisposableStack();
  const stop = (running?: RunningService) => {
    // Where the parts leave nothing behind that keeps the process alive, it ends by itself: as a failure.
    host.setExitCode(exitCodes.failed);
    return stopWithin(graceMs, stopAll(running, owned, { logger, clock, graceMs }), clock, logger);
  };
  try {
    const running = await start(owned, asked.signal);
    await asked.stop;
    host.exit(await stop(running));
  } catch (error) {
    if (error instanceof StartError) host.complain(error.message);
    else logger.fatal("the service could not start", { err: errorOf(error) });
    await stop();
    host.exit(exitCodes.failed);
  } finally {
    asked.release();
  }
}

interface StopRequest {
  readonly signal: AbortSignal;
  readonly stop: Promise<void>;
  release(): void;
}

function watchSignals(host: ProgramHost, logger: Logger, clock: Clock): StopRequest {
  const controller = new AbortController();
  const { promise: stop, resolve } = Promise.withResolvers<void>();
  let asked: { readonly name: string; readonly at: number } | undefined;
  const stopOrExit = (name: string) => {
    if (asked?.name === name && clock.monotonic() - asked.at < sameAskMs) return;
    if (asked) return host.exit(exitCodes.interrupted);
    asked = { name, at: clock.monotonic() };
    logger.info("stopping", { signal: name });
    controller.abort(new Error(`stopped by ${name}`));
    resolve();
  };
  const crash = (reason: unknown) => {
    logger.fatal("the service crashed", { err: errorOf(reason) });
    host.exit(exitCodes.failed);
  };
  const releases = [
    host.on("SIGTERM", () => stopOrExit("SIGTERM")),
    host.on("SIGINT", () => stopOrExit("SIGINT")),
    host.on("uncaughtException", crash),
    host.on("unhandledRejection", crash),
  ];
  const release = () => {
    for (const undo of releases) undo();
  };
  return { signal: controller.signal, stop, release };
}

async function stopAll(
  running: RunningService | undefined,
  owned: AsyncDisposableStack,
  { logger, clock, graceMs }: { logger: Logger; clock: Clock; graceMs: number },
): Promise<number> {
  let code: number = exitCodes.stopped;
  const failed = (error: unknown) => {
    logger.error("stopping failed in part", { err: errorOf(error) });
    code = exitCodes.failed;
  };
  if (running?.drain) {
    const expired = new AbortController();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = clock.after(graceMs / 2, () => {
      logger.warn("draining was cut short", { afterMs: graceMs / 2 });
      expired.abort(new Error("draining took too long"));
      resolve();
    });
    await Promise.race([running.drain(expired.signal).catch(failed), late]);
    timer.cancel();
  }
  await owned.disposeAsync().catch(failed);
  return code;
}

async function stopWithin(
  graceMs: number,
  stopping: Promise<number>,
  clock: Clock,
  logger: Logger,
): Promise<number> {
  const { promise: late, resolve } = Promise.withResolvers<number>();
  const timer = clock.after(graceMs, () => {
    logger.error("did not stop within the grace", { graceMs });
    resolve(exitCodes.failed);
  });
  const code = await Promise.race([stopping, late]);
  timer.cancel();
  return code;
}

function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
