import { createServer, type TLSSocket } from "node:tls";
import { selfSigned } from "../services/tcp-edge/src/self-signed.ts";

/**
 * The raw limit: a TLS relay in Node that keeps nothing and promises nothing. A frame is u32 length, u16 target,
 * bytes. Target 0 goes to everybody but the sender, others to the connection of that number. A first byte
 * pair `0xffff` with a u32 asks for so many bytes of a file instead.
 */
const { certificate: cert, key } = await selfSigned(Date.now());
const sockets = new Map<number, TLSSocket>();
const chunk = Buffer.alloc(256 * 1024, 7);
let next = 1;

const server = createServer({ cert, key, minVersion: "TLSv1.3" }, (socket) => {
  const number = next++;
  sockets.set(number, socket);
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.on("close", () => sockets.delete(number));
  const hello = Buffer.alloc(4);
  hello.writeUInt32BE(number);
  socket.write(hello);
  let rest: Buffer = Buffer.alloc(0);
  const dirty = new Set<TLSSocket>();
  socket.on("data", (data: Buffer) => {
    let buffer = rest.length > 0 ? Buffer.concat([rest, data]) : data;
    while (buffer.length >= 6) {
      const length = buffer.readUInt32BE(0);
      const target = buffer.readUInt16BE(4);
      if (target === 0xffff) {
        void stream(socket, length);
        buffer = buffer.subarray(6);
        continue;
      }
      if (buffer.length < 6 + length) break;
      const frame = buffer.subarray(0, 6 + length);
      const to =
        target === 0
          ? [...sockets.values()].filter((other) => other !== socket)
          : [sockets.get(target)];
      for (const other of to) {
        if (!other) continue;
        if (!dirty.has(other)) {
          dirty.add(other);
          other.cork();
        }
        other.write(frame);
      }
      buffer = buffer.subarray(6 + length);
    }
    for (const other of dirty) other.uncork();
    dirty.clear();
    rest = Buffer.from(buffer);
  });
});

async function stream(socket: TLSSocket, megabytes: number): Promise<void> {
  for (let left = megabytes * 1024 * 1024; left > 0; left -= chunk.length) {
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
  }
}

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as { port: number };
  process.stdout.write(`${JSON.stringify({ event: "ready", address: `127.0.0.1:${port}` })}\n`);
});
