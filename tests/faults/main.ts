import { parseArgs } from "node:util";
import { Stack } from "../compose/stack.ts";
import { Company } from "../scenarios/company.ts";
import { type Fault, faults } from "./faults.ts";
import { judge, type Outcome } from "./judge.ts";
import { Load, pause } from "./load.ts";
import { powerLoss } from "./power-loss.ts";
import { outcomeLine, summary, tableHead } from "./report.ts";
import { seeded, shuffled } from "./seeded.ts";

const help = `Usage: npm run test:faults -- [options]

Strikes a whole server on containers, while clients talk, upload and stream, and counts what is lost.

  --full        every fault, and each twice
  --seed <n>    order and victims (default: random, and printed)
  --only <text> faults whose name holds this text
  --list        names the faults
  --help        this text

Exit codes: 0 nothing was lost, 1 something was, 2 wrong usage.`;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const powerLossName = "power loss at NATS";

interface Options {
  readonly full: boolean;
  readonly seed: number;
  readonly only: string;
}

/** What was asked for; the exit code where nothing is to be struck. */
function readOptions(): Options | number {
  try {
    const { values } = parseArgs({
      options: {
        full: { type: "boolean", default: false },
        seed: { type: "string" },
        only: { type: "string", default: "" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) say(help);
    else if (values.list)
      for (const name of [...faults.map((one) => one.name), powerLossName]) say(name);
    if (values.help || values.list) return 0;
    const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6));
    if (!Number.isSafeInteger(seed)) throw new Error("--seed takes a whole number");
    return { full: values.full, seed, only: values.only };
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return 2;
  }
}

async function run(): Promise<number> {
  const options = readOptions();
  if (typeof options === "number") return options;
  const { seed, only, full } = options;
  const schedule = faults.filter((fault) => fault.name.includes(only) && (full || !fault.full));
  const startedMs = performance.now();
  say(`seed ${seed}; building images`);
  await Stack.build();
  const outcomes = schedule.length > 0 ? await strikeAll(schedule, options) : [];
  const losses = powerLossName.includes(only) ? await powerLoss(say) : [];
  const wrong = [...outcomes.flatMap((outcome) => outcome.wrong), ...losses];
  say(summary(outcomes, wrong, performance.now() - startedMs));
  return wrong.length > 0 ? 1 : 0;
}

async function strikeAll(schedule: readonly Fault[], { seed, full }: Options): Promise<Outcome[]> {
  const random = seeded(seed);
  await using stack = await Stack.up({
    scale: { "tcp-edge": 2 },
    files: ["tests/faults/small-disks.yml"],
  });
  const invite = await stack.ownerInvite();
  await using company = new Company({ ownerInvite: () => invite });
  await using load = await Load.start(company);
  await pause(3000);
  const outcomes: Outcome[] = [];
  const rounds = full ? 2 : 1;
  say(tableHead());
  for (let round = 0; round < rounds; round++) {
    for (const fault of shuffled(schedule, random)) {
      const impossible = fault.impossible?.();
      if (impossible) {
        say(`${fault.name}: not made here, ${impossible}`);
        continue;
      }
      const struckMs = performance.now();
      const found = await fault
        .strike({ stack, company, load, random })
        .catch(async (error: unknown) => {
          say(await stack.compose("logs", "--no-color", "--tail", "20"));
          return [`it could not be made: ${error instanceof Error ? error.stack : String(error)}`];
        });
      const outcome = await judge(fault.name, stack, load, struckMs, found);
      outcomes.push(outcome);
      say(outcomeLine(outcome));
    }
  }
  outcomes.push(await atTheEnd(load));
  return outcomes;
}

/** When nobody sends any more: everything that was ever acknowledged, and every upload. */
async function atTheEnd(load: Load): Promise<Outcome> {
  load.stopSending();
  const end = performance.now() + 30_000;
  const judged = () => load.ledger.judge(load.names);
  while (judged().lost > 0 && performance.now() < end) await pause(100);
  const verdict = judged();
  const damaged = await load.damaged();
  const wrong = [
    ...(verdict.lost > 0 ? [`${verdict.lost} lost`] : []),
    ...(damaged > 0 ? [`${damaged} of ${load.media.uploads} uploads are not what was shared`] : []),
  ];
  const outcome = { fault: "at the end", verdict, outageMs: 0, presenceMs: 0, wrong };
  say(outcomeLine(outcome));
  const { uploads, reads } = load.media;
  say(`${uploads} uploads acknowledged and read back whole, ${reads} reads of a film checked`);
  return outcome;
}

process.exitCode = await run();
