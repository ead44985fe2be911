import { describe, expect, it } from "vitest";
import {
  CloseCode,
  ErrorCode,
  FrameFlag,
  FrameType,
  limits,
  RequestSchema,
  Retry,
  reconnects,
  retryOf,
} from "../src/index.ts";
import {
  definitionsIn,
  documentedProtobuf,
  protobufFiles,
  tableRows,
  text,
  vectorFiles,
} from "./protocol-document.ts";

/** Names and numbers of an enum, without 0, which nobody sends. */
function entriesOf(codes: Readonly<Record<string, string | number>>): [string, number][] {
  return Object.entries(codes).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number" && entry[1] !== 0,
  );
}

describe("PROTOCOL.md", () => {
  it("defines every message and enum as the Protobuf files do, once", () => {
    expect(definitionsIn(documentedProtobuf())).toEqual(definitionsIn(protobufFiles()));
  });

  it("lists every request with its number", () => {
    const rows = tableRows("| request | no. | response | section |");
    expect(rows.map(([name, number]) => [name, Number(number)])).toEqual(
      RequestSchema.fields.map((field) => [field.message?.name, field.number]),
    );
  });

  it("lists every frame type and flag", () => {
    const types = tableRows("| type | name | sent by | stream | body |");
    expect(types.map(([number, name]) => [name, Number(number)])).toEqual(
      Object.entries(FrameType).map(([name, number]) => [name.toUpperCase(), number]),
    );
    const flags = tableRows("| flag | name | meaning |");
    expect(flags.map(([number, name]) => [name, Number(number)])).toEqual(
      Object.entries(FrameFlag).map(([name, number]) => [name.toUpperCase(), number]),
    );
  });

  it("lists every error with what to do after it", () => {
    const rows = tableRows("| code | name | retry | meaning |");
    expect(rows.map(([code, name, retry]) => [name, Number(code), retry])).toEqual(
      entriesOf(ErrorCode).map(([name, code]) => [name, code, Retry[retryOf(code)]?.toLowerCase()]),
    );
  });

  it("lists every close code with whether to come back", () => {
    const rows = tableRows("| code | name | comes back | meaning |");
    expect(rows.map(([code, name, back]) => [name, Number(code), back === "yes"])).toEqual(
      entriesOf(CloseCode).map(([name, code]) => [name, code, reconnects(code)]),
    );
  });

  it("lists every limit with its value", () => {
    const rows = tableRows("| name | value | meaning |");
    expect(rows.map(([name, value]) => [name, Number(value?.replaceAll(",", ""))])).toEqual(
      Object.entries(limits),
    );
  });

  it("lists every file of vectors", () => {
    const listed = tableRows("| file | what |").map(([file]) => file);
    expect(listed.toSorted()).toEqual(vectorFiles.toSorted());
  });

  it("has a section for every reference to one", () => {
    const sections = new Set([...text.matchAll(/^#+ ([\d.]+?)\.? /gm)].map(([, number]) => number));
    const references = [
      ...text.matchAll(/(?<!RFC \d{4} |RFC \d{4}, )[Ss]ection (\d+(?:\.\d+)?)/g),
      ...text.matchAll(/\((\d+\.\d+)\)/g),
    ].map(([, number]) => number);
    expect(references.length).toBeGreaterThan(20);
    expect(references.filter((number) => !sections.has(number))).toEqual([]);
  });
});
