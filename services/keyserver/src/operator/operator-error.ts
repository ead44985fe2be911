/** A wish of the operator's that cannot be had; the message is for people. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly code: "UNKNOWN_PERSON" | "UNKNOWN_INVITE" | "HAS_OWNER" | "BEHIND" | "ALTERED";

  constructor(code: OperatorError["code"], message: string) {
    super(message);
    this.code = code;
  }
}
