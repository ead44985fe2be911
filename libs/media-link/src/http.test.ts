import { expect, test } from "vitest";
import { describeMediaLink } from "./conformance.ts";
import { connectHttpMediaLink, serveHttpMediaLink } from "./http.ts";

const token = "a secret of edges and media services";
/** Sockets on both sides buffer by the system's measure. */
const socketBytesMax = 16 * 1024 * 1024;

describeMediaLink(
  "http",
  async (handler) => {
    const server = await serveHttpMediaLink({ host: "127.0.0.1", port: 0, token, handler });
    const link = connectHttpMediaLink({
      baseUrl: `http://127.0.0.1:${server.address.port}`,
      token,
    });
    return {
      link,
      stopServer: async () => await server[Symbol.asyncDispose](),
      async [Symbol.asyncDispose]() {
        await link[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  },
  socketBytesMax,
);

test("without the token, or for what is none of its requests, nothing is answered", async () => {
  const handler = {
    async *open() {
      yield new Uint8Array(1);
    },
    putPiece: async () => ({ piecesDurable: 1 }),
  };
  await using server = await serveHttpMediaLink({ host: "127.0.0.1", port: 0, token, handler });
  const base = `http://127.0.0.1:${server.address.port}`;
  const id = "0123456789abcdef0123456789abcdef";
  const ask = async (path: string, authorization?: string, method = "GET") => {
    const response = await fetch(base + path, {
      method,
      ...(authorization ? { headers: { authorization } } : {}),
    });
    await response.arrayBuffer();
    return response.status;
  };
  const open = `/open/${id}/${id}?offset=0&length=1`;
  expect(await ask(open)).toBe(401);
  expect(await ask(open, "Bearer wrong")).toBe(401);
  expect(await ask(open, `Bearer ${token}`)).toBe(200);
  for (const path of [
    "/",
    "/open/x/y?offset=0&length=1",
    `/open/${id}/${id}`,
    `/open/${id}/${id}?offset=-1&length=1`,
    `/open/${id}/${id}/../x?offset=0&length=1`,
  ]) {
    expect(await ask(path, `Bearer ${token}`), path).toBe(400);
  }
  expect(await ask(`/piece/${id}/${id}/0`, `Bearer ${token}`, "DELETE")).toBe(400);
});
