import { expect, test } from "vitest";
import { servedType } from "./watch-server.ts";
import { parseRequest } from "./wire.ts";

test("a type that the sender chose is served only where it is one and a browser runs nothing of it", () => {
  for (const mime of ["video/mp4", "audio/ogg", "application/x-matroska+v1.0"])
    expect(servedType(mime)).toBe(mime);
  const refused = ["video/mp4\r\nx: y", "video/mp4\n", "", "video", "text/html", "image/svg+xml"];
  for (const mime of [...refused, "Text/HTML", "text/javascript", `video/${"x".repeat(100)}`])
    expect(servedType(mime)).toBe("application/octet-stream");
});

test("a line that is no request is refused", () => {
  expect(parseRequest({ method: "status", params: {} })).toEqual({ method: "status", params: {} });
  for (const line of [
    null,
    1,
    "x",
    [],
    {},
    { method: 1, params: {} },
    { method: "a", params: null },
  ])
    expect(() => parseRequest(line)).toThrow("no request");
});
