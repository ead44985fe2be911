import * as nodeFiles from "node:fs/promises";
import { relative, sep } from "node:path";
import { type FileOperation, type NodeId, type Recording, rootNode } from "./recording.ts";

/** `node:fs/promises`, the part that a recorder passes on. A store takes it as a parameter. */
export type NodeFiles = typeof nodeFiles;
type FileHandle = nodeFiles.FileHandle;

/** Records what a store in this process does to one folder. */
export interface FileRecorder extends Recording {
  /** Give this to the store in place of `node:fs/promises`. */
  readonly files: NodeFiles;
  /** Notes a promise that the store just made, such as an acknowledgement. */
  mark(label: string): void;
}

/**
 * Records the operations of a store that takes `node:fs/promises` as a parameter. `folder` must
 * exist and be empty. Recorded: open, writeFile, rename, unlink, rm of a file, mkdir, truncate,
 * and of open files write, writev, writeFile, appendFile, truncate, sync, datasync (of a folder
 * too). Streams of a file handle, `link`, `copyFile` and `cp` throw: they would go unseen.
 */
export function recordFiles(folder: string): FileRecorder {
  const operations: FileOperation[] = [];
  const nodes = new Map<string, NodeId>([["", rootNode]]);
  let lastNode = 0;
  const place = (path: unknown): string | undefined => {
    const inside = relative(folder, String(path)).split(sep).join("/");
    return inside === ".." || inside.startsWith("../") ? undefined : inside;
  };
  const created = (path: string, isFolder: boolean): NodeId => {
    const node = ++lastNode as NodeId;
    nodes.set(path, node);
    operations.push({ op: "create", path, node, folder: isFolder });
    return node;
  };
  const renamed = (from: string, to: string): void => {
    for (const [path, node] of [...nodes]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      nodes.delete(path);
      nodes.set(to + path.slice(from.length), node);
    }
    operations.push({ op: "rename", from, to });
  };
  const removed = (path: string): void => {
    nodes.delete(path);
    operations.push({ op: "unlink", path });
  };

  const open = async (
    path: string,
    flags?: string | number,
    mode?: number,
  ): Promise<FileHandle> => {
    const handle = await nodeFiles.open(path, flags, mode);
    const inside = place(path);
    if (inside === undefined) return handle;
    let node = nodes.get(inside);
    if (node === undefined) node = created(inside, false);
    else if (truncates(flags)) operations.push({ op: "truncate", node, length: 0 });
    return recordHandle(handle, node, operations, appends(flags));
  };

  const files = {
    ...nodeFiles,
    open,
    async writeFile(
      path: string,
      data: string | Uint8Array,
      options?: { flag?: string; flush?: boolean } | string,
    ) {
      const flag = typeof options === "object" ? options.flag : undefined;
      const handle = await open(path, flag ?? "w");
      try {
        await handle.writeFile(data);
        if (typeof options === "object" && options.flush) await handle.sync();
      } finally {
        await handle.close();
      }
    },
    async rename(from: string, to: string) {
      await nodeFiles.rename(from, to);
      const [source, target] = [place(from), place(to)];
      if (source === undefined || target === undefined) throw new Error("rename leaves the folder");
      renamed(source, target);
    },
    async unlink(path: string) {
      await nodeFiles.unlink(path);
      const inside = place(path);
      if (inside !== undefined) removed(inside);
    },
    async rm(path: string, options?: { force?: boolean; recursive?: boolean }) {
      const inside = place(path);
      await nodeFiles.rm(path, options);
      if (inside === undefined) return;
      for (const name of [...nodes.keys()].reverse()) {
        if (name === inside || name.startsWith(`${inside}/`)) removed(name);
      }
    },
    async mkdir(path: string, options?: { recursive?: boolean; mode?: number }) {
      const inside = place(path);
      const made = await nodeFiles.mkdir(path, options);
      if (inside === undefined) return made;
      const names = inside.split("/");
      for (let depth = 1; depth <= names.length; depth++) {
        const step = names.slice(0, depth).join("/");
        if (!nodes.has(step)) created(step, true);
      }
      return made;
    },
    async truncate(path: string, length = 0) {
      await nodeFiles.truncate(path, length);
      const node = nodes.get(place(path) ?? "");
      if (node !== undefined) operations.push({ op: "truncate", node, length });
    },
    link: () => unseen("link"),
    symlink: () => unseen("symlink"),
    copyFile: () => unseen("copyFile"),
    cp: () => unseen("cp"),
    appendFile: () => unseen("appendFile"),
  };
  return {
    operations,
    files: files as unknown as NodeFiles,
    mark: (label) => void operations.push({ op: "mark", label }),
  };
}

function unseen(name: string): never {
  throw new Error(`${name} is not recorded`);
}

function truncates(flags: string | number | undefined): boolean {
  return typeof flags === "string" && flags.startsWith("w");
}

function appends(flags: string | number | undefined): boolean {
  return typeof flags === "string" && flags.startsWith("a");
}

/** A handle whose changes are noted once they completed: what still runs counts as lost. */
function recordHandle(
  handle: FileHandle,
  node: NodeId,
  operations: FileOperation[],
  isAppending: boolean,
): FileHandle {
  let cursor = 0;
  const wrote = (data: Uint8Array, position: number | null | undefined) => {
    const offset = position ?? cursor;
    if (position === null || position === undefined) cursor += data.length;
    operations.push({ op: "write", node, offset, data: data.slice() });
  };
  const synced = async (sync: () => Promise<void>) => {
    const before = operations.length;
    await sync();
    operations.push({ op: "sync", node, before });
  };
  const startAtEnd = async () => {
    if (isAppending) cursor = (await handle.stat()).size;
  };
  const overrides = {
    async write(
      data: Uint8Array | string,
      offset?: number,
      length?: number,
      position?: number | null,
    ) {
      if (typeof data === "string") return unseen("write of a string");
      await startAtEnd();
      const result = await handle.write(data, offset, length, position);
      const from = offset ?? 0;
      wrote(data.subarray(from, from + result.bytesWritten), position);
      return result;
    },
    async writev(parts: readonly Uint8Array[], position?: number) {
      await startAtEnd();
      const result = await handle.writev(parts, position);
      wrote(Buffer.concat(parts).subarray(0, result.bytesWritten), position);
      return result;
    },
    async writeFile(data: string | Uint8Array) {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      await startAtEnd();
      await handle.writeFile(bytes);
      wrote(bytes, undefined);
    },
    appendFile: (data: string | Uint8Array) => overrides.writeFile(data),
    async truncate(length = 0) {
      await handle.truncate(length);
      operations.push({ op: "truncate", node, length });
    },
    sync: () => synced(() => handle.sync()),
    datasync: () => synced(() => handle.datasync()),
    createWriteStream: () => unseen("createWriteStream"),
  };
  return new Proxy(handle, {
    get(target, name) {
      const own = Reflect.get(overrides, name);
      const value: unknown = own ?? Reflect.get(target, name);
      return own === undefined && typeof value === "function" ? value.bind(target) : value;
    },
  });
}
