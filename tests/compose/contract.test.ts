import { afterAll } from "vitest";
import { describeContract } from "../../clients/cli/test/contract.ts";
import { Stack } from "./stack.ts";

const stacks: Stack[] = [];

describeContract("through HAProxy, on containers", async () => {
  const stack = await Stack.up();
  stacks.push(stack);
  return {
    address: `127.0.0.1:${stack.port}`,
    ownerInvite: await stack.ownerInvite(),
    stop: async () => {},
  };
});

afterAll(async () => {
  for (const stack of stacks) await stack[Symbol.asyncDispose]();
}, 60_000);
