import { kill } from "node:process";
import { type Container, docker, type Stack } from "../compose/stack.ts";
import { pause } from "./load.ts";

const restartedWithinMs = 60_000;

/** SIGKILL from outside, as the kernel sends it. Resolves when the restart policy has started it again. */
export async function killHard(container: Container): Promise<void> {
  const before = await pidOf(container);
  if (before === 0) throw new Error(`${container.name} does not run`);
  kill(before, "SIGKILL");
  const end = performance.now() + restartedWithinMs;
  for (let pid = before; pid === before || pid === 0; pid = await pidOf(container)) {
    if (performance.now() > end) throw new Error(`${container.name} was not started again`);
    await pause(50);
  }
}

async function pidOf({ id }: Container): Promise<number> {
  return Number(await docker("inspect", "--format", "{{.State.Pid}}", id));
}

/** Stands still for `ms`, as after SIGSTOP. */
export async function standStill(container: Container, ms: number): Promise<void> {
  await docker("pause", container.id);
  try {
    await pause(ms);
  } finally {
    await docker("unpause", container.id);
  }
}

/** Cuts a container off a network, and gives it back under its service's name. */
export async function cutOff(
  stack: Stack,
  container: Container,
  network: string,
  during: () => Promise<void>,
): Promise<void> {
  const name = `${stack.project}_${network}`;
  await docker("network", "disconnect", name, container.id);
  try {
    await during();
  } finally {
    await docker("network", "connect", "--alias", container.service, name, container.id);
  }
}

/** Fills a volume, which the keeper holds too, to its last byte, and frees it again. */
export async function fillVolume(
  stack: Stack,
  folder: string,
  during: () => Promise<void>,
): Promise<void> {
  const filler = `${folder}/filler`;
  const script = `dd if=/dev/zero of=${filler} bs=64k 2> /dev/null; dd if=/dev/zero of=${filler} bs=1 oflag=append conv=notrunc 2> /dev/null; true`;
  await stack.exec("keeper", "sh", "-c", script);
  try {
    await during();
  } finally {
    await stack.exec("keeper", "rm", "-f", filler);
  }
}

/** Services that are not healthy now. */
export async function unhealthy(stack: Stack): Promise<readonly string[]> {
  const text = await stack.compose("ps", "--all", "--format", "json");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { Name: string; Service: string; Health: string })
    .filter(({ Service, Health }) => !["setup", "keeper"].includes(Service) && Health !== "healthy")
    .map(({ Name }) => Name);
}
