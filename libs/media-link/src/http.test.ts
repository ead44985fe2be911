import { createServer } from "node:http";
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

test("a service that keeps silent is passed over, and asked last for a while", async () => {
  const bytes = new Uint8Array(1000).fill(7);
  const handler = {
    async *open() {
      yield bytes;
    },
    putPiece: async () => ({ piecesDurable: 1 }),
  };
  await using server = await serveHttpMediaLink({ host: "127.0.0.1", port: 0, token, handler });
  const { port } = server.address;
  let asked = 0;
  const silent = createServer(() => {
    asked++;
  });
  await new Promise<void>((resolve) => silent.listen(port, "127.0.0.2", resolve));
  await using link = connectHttpMediaLink({
    baseUrl: `http://media:${port}`,
    token,
    resolve: async () => ["127.0.0.1", "127.0.0.2"],
    answerWithinMs: 200,
    storedWithinMs: 200,
  });
  const { signal } = new AbortController();
  const objects = Array.from({ length: 12 }, (_, i) => `${i}`.padStart(32, "a"));
  for (const object of objects) {
    let received = 0;
    const wanted = { room: object, object, offset: 0, length: bytes.length };
    for await (const chunk of link.open(wanted, signal)) received += chunk.length;
    expect(received).toBe(bytes.length);
    const put = { room: object, object, piece: 0, data: bytes };
    expect(await link.putPiece(put, signal)).toEqual({ piecesDurable: 1 });
  }
  // About half of the objects would begin there; all but the first were spared the wait.
  expect(asked).toBe(1);
  silent.closeAllConnections();
  await new Promise((resolve) => silent.close(resolve));
});

test("a stream that stops in the middle is broken off, not waited for", async () => {
  const handler = {
    async *open() {
      yield new Uint8Array(1000);
      await new Promise((resolve) => setTimeout(resolve, 5000));
    },
    putPiece: async () => ({ piecesDurable: 1 }),
  };
  await using server = await serveHttpMediaLink({ host: "127.0.0.1", port: 0, token, handler });
  await using link = connectHttpMediaLink({
    baseUrl: `http://127.0.0.1:${server.address.port}`,
    token,
    answerWithinMs: 200,
  });
  const id = "0123456789abcdef0123456789abcdef";
  const read = async () => {
    const wanted = { room: id, object: id, offset: 0, length: 2000 };
    for await (const _ of link.open(wanted, new AbortController().signal));
  };
  await expect(read()).rejects.toMatchObject({ code: "UNAVAILABLE" });
});
