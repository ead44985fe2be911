import { readOptions, type ServerOptions } from "./options.ts";

/** The options of this process: the only place that reads its arguments and environment. */
export function processOptions(): ServerOptions | "help" {
  return readOptions(process.argv.slice(2), process.env);
}
