import { readFileSync } from "node:fs";
import { docker, Stack } from "../tests/compose/stack.ts";

/** What one container holds. */
export interface Footprint {
  readonly container: string;
  /** Memory that its processes hold, bytes: a page that several share is counted in parts (PSS). */
  readonly residentBytes: number;
  /** The same with a shared page counted for each process that has it (RSS). */
  readonly withSharedBytes: number;
  /** CPU that it took while nobody did anything, ms for each second. */
  readonly idleCpuMs: number;
}

const budgetBytes = 400e6;
const settleMs = 20_000;
const watchedMs = 20_000;

/**
 * Starts the whole stack, leaves it alone, and tells what it holds and takes. Resolves with true where it keeps
 * to its budget of 400 MB.
 */
export async function footprint(say: (line: string) => void): Promise<{
  readonly rows: readonly Footprint[];
  readonly withinBudget: boolean;
}> {
  await Stack.build();
  const startedMs = performance.now();
  await using stack = await Stack.up();
  say(`healthy ${((performance.now() - startedMs) / 1000).toFixed(1)} s after docker compose up`);
  await pause(settleMs);
  const pids = await processes(stack);
  const before = new Map([...pids].map(([name, list]) => [name, sum(list, cpuMs)]));
  await pause(watchedMs);
  const rows = [...pids].map(([container, list]) => ({
    container,
    residentBytes: sum(list, residentBytes),
    withSharedBytes: sum(list, withSharedBytes),
    idleCpuMs: (sum(list, cpuMs) - (before.get(container) ?? 0)) / (watchedMs / 1000),
  }));
  for (const { container, residentBytes: bytes, withSharedBytes: all, idleCpuMs } of rows)
    say(
      `${container.padEnd(12)} ${mega(bytes).padStart(9)} (RSS ${mega(all).padStart(9)}) ${idleCpuMs.toFixed(1).padStart(6)} ms CPU a second`,
    );
  const total = rows.reduce((bytes, row) => bytes + row.residentBytes, 0);
  const all = rows.reduce((bytes, row) => bytes + row.withSharedBytes, 0);
  const cpu = rows.reduce((ms, row) => ms + row.idleCpuMs, 0);
  const withinBudget = total < budgetBytes;
  say(
    `idle: ${mega(total)} resident of ${mega(budgetBytes)} (RSS ${mega(all)}, shared pages counted again), ${(cpu / 10).toFixed(1)} % of a core: ${withinBudget ? "within the budget" : "OVER THE BUDGET"}`,
  );
  return { rows, withinBudget };
}

/** Processes of every container that runs, by its service. */
async function processes(stack: Stack): Promise<Map<string, readonly number[]>> {
  const found = new Map<string, readonly number[]>();
  for (const service of [
    "haproxy",
    "tcp-edge",
    "keyserver",
    "presence",
    "media",
    "nats",
    "redis",
  ]) {
    const { id } = await stack.container(service);
    const [, ...lines] = (await docker("top", id, "-o", "pid")).trim().split("\n");
    found.set(service, lines.map(Number));
  }
  return found;
}

function residentBytes(pid: number): number {
  const rollup = readProc(pid, "smaps_rollup");
  return rollup === "" ? withSharedBytes(pid) : kilobytes(rollup, "Pss");
}

function withSharedBytes(pid: number): number {
  return kilobytes(readProc(pid, "status"), "VmRSS");
}

function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
}

const ticksPerSecond = 100;

function cpuMs(pid: number): number {
  const fields = readProc(pid, "stat").split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 1000) / ticksPerSecond;
}

/** Empty where the process has ended, as a healthcheck does. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}

function mega(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
