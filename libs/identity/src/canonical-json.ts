/** What a record's payload may hold. */
export type JsonValue = string | number | { readonly [key: string]: JsonValue };

/** JSON with sorted keys and no white space: one encoding for one value. */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError("numbers in records are whole");
    return String(value);
  }
  if (typeof value === "string") return JSON.stringify(value);
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as JsonValue)}`);
  return `{${fields.join(",")}}`;
}
