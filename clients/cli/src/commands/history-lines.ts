import type { Output } from "../output.ts";
import { printableName, printableText } from "../printable.ts";
import { bytesText } from "../progress.ts";
import { type KeysChangedLine, keysChanged } from "./keys-changed.ts";
import { historyMeaning } from "./rooms.ts";

/** What `listen` hears: an entry of the history, or what is told live. */
export type Line = Readonly<Record<string, unknown>> & { readonly type: string };

/** What a person sees of it, one line but for a text of several; `undefined` where there is nothing to say. */
export function describe(output: Output, line: Line): string | undefined {
  const room = output.dim(`[${printableName(line["roomName"] || "…")}]`);
  switch (line.type) {
    case "message":
      return `${output.dim(time(line["at"]))} ${room} ${output.bold(printableName(line["sender"]))}: ${printableText(line["text"])}${told(output, line)}`;
    case "media":
      return `${output.dim(time(line["at"]))} ${room} ${output.bold(printableName(line["sender"]))} shared ${printableName(line["name"])} (${bytesText(Number(line["bytes"]))})  sotto watch ${line["object"]}${told(output, line)}`;
    case "membership":
      return output.dim(`${room} ${printableName(membership(line))}`);
    case "policy":
      return output.dim(`${room} ${line["by"]} decided: ${historyMeaning(line["history"])}`);
    case "keys-changed":
      return output.dim(
        `${room} ${printableName(keysChanged(line as unknown as KeysChangedLine))}`,
      );
    case "notice":
      return output.dim(`${room} ${printableName(line["text"])}`);
    case "presence":
      return output.dim(`${line["user"]} is ${line["state"]}`);
    case "typing":
      return line["typing"] ? output.dim(`${line["user"]} is typing`) : undefined;
    case "history-unavailable":
      return output.dim(`${room} (messages that this device cannot open)`);
    case "messages-missing":
      return output.dim(
        `${room} (at least ${line["count"]} of ${line["sender"]}'s messages did not come)`,
      );
    default:
      return undefined;
  }
}

/** Says the day where it is another one than that of the message before. */
export class Days {
  #last = "";

  /** A line for a person, before that of `line`; `undefined` where the day is the same or not known. */
  of(output: Output, line: Line): string | undefined {
    if (line["at"] === undefined) return undefined;
    const day = new Date(Number(line["at"])).toLocaleDateString([], { dateStyle: "full" });
    if (day === this.#last) return undefined;
    this.#last = day;
    return output.dim(`--- ${day} ---`);
  }
}

/** From whom this device has it, where it was not there itself. */
function told(output: Output, line: Line): string {
  return line["toldBy"] ? output.dim(`  (told by ${line["toldBy"]})`) : "";
}

/** Who came or went; devices come and go by people who are in, and disabled people by no member's wish. */
function membership(line: Line): string {
  const { by, change, disabled = [], devicesOf = [] } = line as Partial<MembershipLine>;
  if (change === "created") return `${by} made this room`;
  if (change === "rejoined") return `a device of ${by} came in`;
  const users = (line["users"] as string[]).filter((user) => !disabled.includes(user));
  // Who adds or removes is in the room.
  const isIn = (user: string) => user === by || devicesOf.includes(user);
  const moved = users.filter((user) => !isIn(user));
  return [
    ...disabled.map((user) => `${user}'s account was disabled`),
    ...(moved.length > 0 ? [`${by} ${change} ${moved.join(", ")}`] : []),
    ...users.filter(isIn).map((user) => deviceMoved(user, by, change)),
  ].join("; ");
}

interface MembershipLine {
  readonly by: string;
  readonly change: string;
  readonly disabled: readonly string[];
  readonly devicesOf: readonly string[];
}

function deviceMoved(user: string, by: unknown, change: unknown): string {
  if (change === "added") return `${user} has one more device here`;
  return user === by ? `${by} took out a device of theirs` : `${by} took out a device of ${user}`;
}

function time(at: unknown): string {
  return new Date(Number(at)).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
