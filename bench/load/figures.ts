/** One measured case of one server. */
export interface Figures {
  readonly server: string;
  readonly case: string;
  /** Work done a second, by the clock: on a machine with other work less than it could be. */
  readonly rate: number;
  readonly unit: string;
  /** Server CPU, in milliseconds per 1,000 units (messages, deliveries) or per GB. */
  readonly cpuMs: number;
  readonly cpuPer: string;
  readonly latencyMs?: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Percentiles of latencies, in the unit that they came in. */
export function percentiles(values: readonly number[]): { p50: number; p99: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? Number.NaN };
}

/**
 * The figures as a table, each row with its ratio to the raw row of the same case. `who` is what is measured, in one
 * word.
 */
export function table(rows: readonly Figures[], who = "server"): string {
  const lines = rows.map((row) => {
    const raw = rows.find(
      (other) => other.case === row.case && other !== row && other.server.startsWith("raw"),
    );
    const latency = row.latencyMs
      ? `${row.latencyMs.p50.toFixed(2)} / ${row.latencyMs.p99.toFixed(2)}`
      : "";
    const ratio =
      raw && !row.server.startsWith("raw") ? `${((100 * raw.cpuMs) / row.cpuMs).toFixed(0)} %` : "";
    return [
      row.case,
      row.server,
      `${Math.round(row.rate).toLocaleString("en")} ${row.unit}`,
      Number.isNaN(row.cpuMs)
        ? ""
        : `${row.cpuMs.toFixed(row.cpuMs < 100 ? 1 : 0)} per ${row.cpuPer}`,
      perCpuSecond(row),
      latency,
      ratio,
    ];
  });
  const head = [
    "case",
    who,
    "rate by the clock",
    `${who} CPU ms`,
    "rate by CPU time",
    "p50 / p99 ms",
    "of raw, per CPU",
  ];
  const widths = head.map((title, i) =>
    Math.max(title.length, ...lines.map((line) => line[i]?.length ?? 0)),
  );
  const show = (line: readonly string[]) =>
    line
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return [show(head), show(widths.map((width) => "-".repeat(width))), ...lines.map(show)].join(
    "\n",
  );
}

/** What a core does in a second that it has for this alone; empty where the CPU is not of so many units. */
function perCpuSecond({ cpuMs, cpuPer, unit }: Figures): string {
  const units = cpuPer === "1,000" ? 1000 : 1;
  if (!(cpuMs > 0) || cpuPer === "GB") return "";
  return `${Math.round((1000 * units) / cpuMs).toLocaleString("en")} ${unit}`;
}
