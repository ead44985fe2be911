import type { TSchema } from "typebox";

const truth: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  yes: true,
  on: true,
  false: false,
  "0": false,
  no: false,
  off: false,
};

/**
 * A variable's text as the value that the schema asks for. Text that is no such value comes
 * back as it is, so that checking it against the schema names what is wrong.
 */
export function settingFromText(schema: TSchema, text: string): unknown {
  switch ("type" in schema ? schema.type : undefined) {
    case "integer":
    case "number":
      return /^-?\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    case "boolean":
      return truth[text.trim().toLowerCase()] ?? text;
    case "array":
      return text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");
    default:
      return text;
  }
}
