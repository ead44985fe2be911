import { Stack } from "./stack.ts";

/** Before all of the suite: containers of images that an older tree left behind would be tested otherwise. */
export default async function setup(): Promise<void> {
  await Stack.build();
}
