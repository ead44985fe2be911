import { InvalidArgumentError } from "commander";

/** A whole number of at least 1, for a flag. */
export function positive(text: string): number {
  if (!/^[1-9]\d{0,15}$/.test(text))
    throw new InvalidArgumentError("it must be a whole number from 1 on");
  return Number(text);
}

/** A whole number of at least 0, for a flag. */
export function count(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new InvalidArgumentError("it must be a whole number from 0 on");
  return Number(text);
}

/** How a room may be said. */
export const roomIs = "its name, its id or the beginning of that, or @somebody";

/** How an object may be said. */
export const objectIs = "its id, or the beginning of that";

/** What `--room` is for where an object is named. */
export const ofRoom = "the room that shared it (id or name), where several shared the same object";
