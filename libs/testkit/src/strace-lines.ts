/** One system call that completed. Paths and strings are decoded. */
export interface SystemCall {
  readonly name: string;
  /** The arguments as `strace` prints them. */
  readonly text: string;
  readonly result: number;
}

const unfinished = " <unfinished ...>";

/**
 * The calls of an `strace -f -y -xx` output, in order of completion. For a call that others ran
 * beside, `started` is called where it began, so that a sync covers only what came before.
 */
export function* systemCalls(
  output: string,
  started: (process: string) => void,
): Generator<SystemCall & { readonly process: string; readonly resumed: boolean }> {
  const open = new Map<string, string>();
  for (const line of output.split("\n")) {
    const space = line.indexOf(" ");
    const process = line.slice(0, space);
    const rest = line.slice(space).trimStart();
    if (rest.endsWith(unfinished)) {
      open.set(process, rest.slice(0, -unfinished.length));
      started(process);
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(rest);
    const whole = resumed ? (open.get(process) ?? "") + rest.slice(resumed[0].length) : rest;
    open.delete(process);
    const call = /^(\w+)\((.*)\)\s+= (-?\d+)/s.exec(whole);
    if (!call) continue;
    const [, name = "", text = "", result = ""] = call;
    yield { name, text, result: Number(result), process, resumed: resumed !== null };
  }
}

/** The bytes of every quoted string among the arguments. Throws where strace cut one short. */
export function stringsOf(call: SystemCall): Buffer[] {
  return [...call.text.matchAll(/"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g)].map(([, hex = "", cut]) => {
    if (cut) throw new Error(`strace cut a string of ${call.name} short`);
    return decode(hex);
  });
}

/** The file descriptor that the call names first, with the path that it stands for. */
export function descriptorOf(call: SystemCall): { number: number; path: string } {
  const match = /^(\d+)(?:<([^>]*)>)?/.exec(call.text);
  return { number: Number(match?.[1] ?? -1), path: decode(match?.[2] ?? "").toString() };
}

/** The folders that relative paths of the call stand in. */
export function foldersOf(call: SystemCall): string[] {
  return [...call.text.matchAll(/(?:AT_FDCWD|\d+)<([^>]*)>/g)].map(([, path = ""]) =>
    decode(path).toString(),
  );
}

/** The last argument, where it is a number. */
export function lastNumber(call: SystemCall): number {
  return Number(call.text.slice(call.text.lastIndexOf(",") + 1));
}

function decode(hex: string): Buffer {
  return Buffer.from(hex.replaceAll("\\x", ""), "hex");
}
