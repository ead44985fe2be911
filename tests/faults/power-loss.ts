import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simulatePowerLoss, traceMissing, traceRunning } from "@sotto/testkit";
import { docker, Stack } from "../compose/stack.ts";
import { Company, type Joined, texts, until } from "../scenarios/company.ts";
import { pause } from "./load.ts";

const conf = join(import.meta.dirname, "..", "..", "infra", "nats", "nats.conf");
const messages = 60;

/** How NATS syncs. The second one is its own default: nothing is synced for two minutes. */
const ways = {
  "sync_interval always": (text: string) => text,
  "sync_interval default": (text: string) => text.replace(/^\s*sync_interval:.*$/m, ""),
};

/**
 * The power fails at NATS while people talk: of what its process wrote, whatever no sync covers is dropped, and the
 * server starts on that disk. As it is set up, nothing that was acknowledged may be missing; with NATS's own default
 * something must be, or this test could not see a loss. Answers what is wrong.
 */
export async function powerLoss(say: (line: string) => void): Promise<readonly string[]> {
  const missing = await traceMissing();
  if (missing) {
    say(`power loss at NATS: not made here, ${missing}`);
    return [];
  }
  const wrong: string[] = [];
  for (const [name, change] of Object.entries(ways)) {
    const { acknowledged, lost } = await lose(change(await readFile(conf, "utf8")));
    const mustLose = name.endsWith("default");
    say(
      `power loss, ${name}: acknowledged ${acknowledged}, lost ${lost}${mustLose ? " (must be seen)" : ""}`,
    );
    if (mustLose ? lost === 0 : lost > 0) wrong.push(`power loss with ${name}: ${lost} lost`);
    if (acknowledged < messages) wrong.push(`only ${acknowledged} were acknowledged`);
  }
  return wrong;
}

async function lose(text: string): Promise<{ acknowledged: number; lost: number }> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-power-"));
  const file = join(folder, "nats.conf");
  await writeFile(file, text, { mode: 0o644 });
  try {
    return await loseOn(file, join(folder, "disk"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function loseOn(file: string, disk: string): Promise<{ acknowledged: number; lost: number }> {
  const environment = { SOTTO_TEST_NATS_CONF: file };
  const files = ["tests/faults/traced-nats.yml"];
  const starting = Stack.begin({ environment, files });
  await using stack = starting.stack;
  await using trace = await traceRunning({
    pid: await pidOfNats(stack),
    folder: "/data",
    marksOf: () => [],
  });
  await stack.exec("nats", "touch", "/tmp/go");
  await starting.up;
  const invite = await stack.ownerInvite();
  await using company = new Company({ ownerInvite: () => invite });
  const [alice, bob] = await company.people("alice", "bob");
  // Away while all of it is said: afterwards it has what the server has.
  await bob[Symbol.asyncDispose]();
  const sent: string[] = [];
  await Promise.all(
    Array.from({ length: messages }, async (_, i) => {
      await alice.client.send("general", `message ${i}`);
      sent.push(`message ${i}`);
    }),
  );
  await alice[Symbol.asyncDispose]();
  const nats = await stack.container("nats");
  await docker("kill", "--signal", "KILL", nats.id);
  const recording = await trace.recording();
  const left = simulatePowerLoss(recording, {
    seed: 1,
    at: recording.operations.length,
    names: "with-file",
  });
  await left.writeTo(disk);
  await replaceVolume(`${stack.project}_nats-data`, disk);
  await docker("start", nats.id);
  await stack.exec("nats", "touch", "/tmp/go");
  // Services whose streams are gone end and start anew; everything begins where the disk ends.
  await stack.compose("restart", "keyserver", "tcp-edge");
  const heard = await heardBy(company, bob);
  return { acknowledged: sent.length, lost: sent.filter((one) => !heard.includes(one)).length };
}

async function pidOfNats(stack: Stack): Promise<number> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const [nats] = await stack.containers("nats").catch(() => []);
    const pid = nats && Number(await docker("inspect", "--format", "{{.State.Pid}}", nats.id));
    if (pid) return pid;
    await pause(100);
  }
  throw new Error("NATS does not start");
}

async function replaceVolume(volume: string, disk: string): Promise<void> {
  const script = "rm -rf /to/* /to/.[a-z]*; cp -r /from/. /to/; chown -R 1000:1000 /to";
  const mounts = ["--volume", `${volume}:/to`, "--volume", `${disk}:/from:ro`];
  await docker(
    ...["run", "--rm", "--user", "0", "--network", "none", ...mounts],
    ...["--entrypoint", "sh", "sotto-keyserver", "-c", script],
  );
}

/** What somebody who was away finds. Nothing, where the room itself is gone. */
async function heardBy(company: Company, { name, store }: Joined): Promise<string[]> {
  const again = await company.open(name, store);
  try {
    await again.client.ready(45_000);
    await until("history stands", async () => (await texts(again)).length >= messages, 3000).catch(
      () => {},
    );
    return await texts(again);
  } catch {
    return await texts(again);
  }
}
