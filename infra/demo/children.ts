import type { ChildProcess } from "node:child_process";

const children = new Set<ChildProcess>();
let ended = false;

/** Marks a process as one that the demo ends when it ends. Throws where it has ended already. */
export function own<Child extends ChildProcess>(child: Child): Child {
  children.add(child);
  child.once("close", () => children.delete(child));
  if (ended) {
    child.kill("SIGTERM");
    throw new Error("the demo has ended");
  }
  return child;
}

/** Ends every process that runs, and lets none begin any more. */
export async function endAll(): Promise<void> {
  ended = true;
  const closed = [...children].map(
    (child) => new Promise<void>((resolve) => child.once("close", () => resolve())),
  );
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(closed);
}
