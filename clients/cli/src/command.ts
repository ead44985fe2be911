import { callAgent } from "./agent/agent-client.ts";
import { type CliConfig, readConfig } from "./config.ts";
import { Output } from "./output.ts";

/** What every command has: where its profile is, where its output goes, and the profile's agent. */
export class CommandContext {
  readonly config: CliConfig;
  readonly output: Output;

  constructor(flags: { home?: string; json?: boolean }) {
    this.config = readConfig(flags.home);
    this.output = new Output({ json: flags.json === true, colour: this.config.colour });
  }

  /** Calls the agent and answers what it says as the shape that the method documents. */
  async call<Result>(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    options: { onItem?: (item: never) => void; signal?: AbortSignal } = {},
  ): Promise<Result> {
    const onItem = options.onItem as ((item: unknown) => void) | undefined;
    return (await callAgent(this.config.home, method, params, {
      ...(onItem ? { onItem } : {}),
      ...(options.signal ? { signal: options.signal } : {}),
    })) as Result;
  }
}
