import type { Socket } from "node:net";

/** A line from a command to the agent. */
export interface AgentRequest {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** A request as a command sends it. Throws where the line is anything else. */
export function parseRequest(value: unknown): AgentRequest {
  const { method, params } = Object(value) as { method?: unknown; params?: unknown };
  const isParams = typeof params === "object" && params !== null && !Array.isArray(params);
  if (typeof method !== "string" || !isParams) throw new Error("the line is no request");
  return { method, params: params as AgentRequest["params"] };
}

/** Lines from the agent: any number of items, then one result or error. */
export type AgentReply =
  | { readonly item: unknown }
  | { readonly result: unknown }
  | {
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly exitCode: number;
      };
    };

/** A line that is longer than this is refused. */
const lineBytesMax = 1024 * 1024;

/** Reads JSON, one value a line. Calls `broken` once where the other side sends something else. */
export function readLines(
  socket: Socket,
  take: (value: unknown) => void,
  broken: (why: string) => void,
): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    rest += text;
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > lineBytesMax) return broken("a line is too long");
    for (const line of lines) {
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        return broken("a line is not JSON");
      }
      take(value);
    }
  });
}

/** Writes one value as a line; answers false while the socket's buffer is full. */
export function writeLine(socket: Socket, value: unknown): boolean {
  return socket.write(`${JSON.stringify(value)}\n`);
}
