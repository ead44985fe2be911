import { errorName, Retry, SottoError } from "@sotto/protocol";
import { SottoClientError } from "@sotto/sdk";
import { CommandError, ExitCode } from "../exit-code.ts";

/** An error as a command reports it. What is not known is a fault of this program and says so. */
export function toReplyError(error: unknown): { code: string; message: string; exitCode: number } {
  if (error instanceof CommandError) {
    return { code: error.code, message: error.message, exitCode: error.exitCode };
  }
  if (error instanceof SottoClientError) {
    const exitCode = error.code === "NOT_REACHABLE" ? ExitCode.notReachable : ExitCode.refused;
    return { code: error.code, message: error.message, exitCode };
  }
  if (error instanceof SottoError) {
    const exitCode =
      error.retry === Retry.LATER && errorName(error.code) === "UNAVAILABLE"
        ? ExitCode.notReachable
        : ExitCode.refused;
    return { code: errorName(error.code), message: error.message, exitCode };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "FAILED", message, exitCode: ExitCode.refused };
}
