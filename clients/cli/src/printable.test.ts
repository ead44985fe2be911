import { expect, test, vi } from "vitest";
import { Output } from "./output.ts";
import { printable, printableJson, printableName } from "./printable.ts";

const clear = "\u001b[2J\u001b]0;pwned\u0007\u009b31m\u202e";

test("nothing of others commands a terminal; lines of a text stay lines", () => {
  expect(printable(`a${clear}\n\tb`)).toBe("a�[2J�]0;pwned��31m�\n\tb");
  expect(printableName("film\n12:00 [general] alice: hello\t\u2028")).toBe(
    "film�12:00 [general] alice: hello��",
  );
});

test("JSON says the same, in escapes", () => {
  const value = { name: `${clear}\u{e0001}é🎬` };
  const line = printableJson(value);
  expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(line)).toEqual(value);
});

test("what is printed keeps our own colours, and no other sequence", () => {
  let [out, err] = ["", ""];
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += text;
    return true;
  });
  try {
    const coloured = new Output({ json: false, colour: true });
    const own = `${coloured.bold("name")} ${coloured.dim("[room]")} ${coloured.accent("code")}`;
    coloured.result({}, () => `${own} \u001b[8mhidden${clear}`);
    expect(out).toBe(`${own} �[8mhidden�[2J�]0;pwned��31m�\n`);
    const plain = new Output({ json: false, colour: false });
    plain.note(`${plain.bold("name")} \u001b[1m${clear}`);
    expect(err).toBe("name �[1m�[2J�]0;pwned��31m�\n");
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
});
