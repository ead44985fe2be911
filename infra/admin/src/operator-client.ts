import { type IncomingMessage, request } from "node:http";
import { StartError } from "@sotto/chassis";

/** What the server said instead of doing it. */
export class RefusedError extends StartError {
  override readonly name = "RefusedError";
  override readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const answerBytesMax = 16 * 1024 * 1024;
const timeoutMs = 15_000;

/** Speaks to a running server over its operator's socket. Methods reject with `StartError`, one clear line. */
export class OperatorClient {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async call(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<object> {
    const { status, text } = await this.#ask(method, path, body);
    const answer = objectOf(text);
    if (status < 300) return answer;
    const { code, message } = answer as { code?: unknown; message?: unknown };
    throw new RefusedError(
      typeof code === "string" ? code : "FAILED",
      typeof message === "string" ? message : `the server answered ${status}`,
    );
  }

  #ask(method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
    const content = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const asked = request({
        socketPath: this.#path,
        method,
        path,
        timeout: timeoutMs,
        headers: content ? { "content-type": "application/json" } : {},
      });
      asked.once("error", (cause) => reject(unreachable(this.#path, cause)));
      asked.once("timeout", () => asked.destroy(new Error("no answer in time")));
      asked.once("response", (response) => {
        readText(response).then(
          (text) => resolve({ status: response.statusCode ?? 500, text }),
          (cause) => reject(unreachable(this.#path, cause)),
        );
      });
      asked.end(content);
    });
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new Error("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function objectOf(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

function unreachable(path: string, cause: unknown): StartError {
  const code = (cause as NodeJS.ErrnoException).code;
  const why =
    code === "EACCES"
      ? "it belongs to another user"
      : code === "ENOENT" || code === "ECONNREFUSED"
        ? "no server is running there"
        : String(cause instanceof Error ? cause.message : cause);
  return new StartError(
    `cannot reach the server at ${path}: ${why}; start it, or name its data folder with --data`,
    { cause },
  );
}
