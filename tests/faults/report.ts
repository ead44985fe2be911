import type { Outcome } from "./judge.ts";

const columns = [
  "acknowledged",
  "delivered",
  "lost",
  "doubled",
  "out of order",
  "outage",
  "presence",
];
const nameWidth = 30;

/** Heading of the table. */
export function tableHead(): string {
  return ["fault".padEnd(nameWidth), ...columns.map((name) => name.padStart(12))].join(" ");
}

/** A fault's line: totals so far, and its own longest outage. */
export function outcomeLine({ fault, verdict, outageMs, presenceMs, wrong }: Outcome): string {
  const { acknowledged, delivered, lost, doubled, outOfOrder } = verdict;
  const cells = [
    ...[acknowledged, delivered, lost, doubled, outOfOrder].map(String),
    seconds(outageMs),
    seconds(presenceMs),
  ];
  const line = [fault.padEnd(nameWidth), ...cells.map((cell) => cell.padStart(12))].join(" ");
  return [line, ...wrong.map((what) => `  WRONG: ${what}`)].join("\n");
}

/** The last lines. */
export function summary(
  outcomes: readonly Outcome[],
  wrong: readonly string[],
  tookMs: number,
): string {
  const total = outcomes.at(-1)?.verdict;
  const longest = Math.max(0, ...outcomes.map(({ outageMs }) => outageMs));
  const lines = total
    ? [
        `acknowledged ${total.acknowledged}, delivered ${total.delivered}, lost ${total.lost}, ` +
          `doubled ${total.doubled}, out of order ${total.outOfOrder}, ` +
          `longest outage ${seconds(longest)}`,
      ]
    : [];
  return [
    "",
    ...lines,
    `${outcomes.length} faults in ${seconds(tookMs)}: ${wrong.length === 0 ? "ok" : `${wrong.length} wrong`}`,
  ].join("\n");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
