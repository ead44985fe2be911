import { afterEach } from "vitest";
import { whereabouts } from "./whereabouts.ts";

// Where a test ran out of time its people are still there, and nothing else would say what it waited for.
afterEach(async ({ task }) => {
  const [error] = task.result?.errors ?? [];
  if (error?.message.startsWith("Test timed out"))
    process.stderr.write(`${task.name}: ${await whereabouts()}\n`);
});
