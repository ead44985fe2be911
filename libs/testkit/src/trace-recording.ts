import { relative, resolve, sep } from "node:path";
import { type FileOperation, type NodeId, type Recording, rootNode } from "./recording.ts";
import {
  descriptorOf,
  foldersOf,
  lastNumber,
  type SystemCall,
  stringsOf,
  systemCalls,
} from "./strace-lines.ts";

/** Finds promises in the bytes (as latin1) that went to a descriptor: a pipe or a socket. */
export type MarksOf = (text: string, descriptor: number) => readonly string[];

/** An open file of the traced process. */
interface OpenFile {
  readonly node: NodeId;
  readonly isAppending: boolean;
  /** O_SYNC or O_DSYNC: every write is a sync too. */
  readonly isSynced: boolean;
  cursor: number;
}

/**
 * Makes a recording of `folder` from the output of `strace` (see `straceArguments`). `marksOf` is
 * given what the process wrote to pipes and sockets, and answers the promises that this text holds.
 */
export function recordingFromTrace(output: string, folder: string, marksOf: MarksOf): Recording {
  const trace = new Trace(folder, marksOf);
  const startedAt = new Map<string, number>();
  const begin = (process: string) => startedAt.set(process, trace.operations.length);
  for (const call of systemCalls(output, begin)) {
    const before = call.resumed ? startedAt.get(call.process) : undefined;
    if (call.result >= 0) trace.apply(call, before ?? trace.operations.length);
  }
  return { operations: trace.operations };
}

class Trace {
  readonly operations: FileOperation[] = [];
  readonly #folder: string;
  readonly #marksOf: MarksOf;
  readonly #nodes = new Map<string, NodeId>([["", rootNode]]);
  readonly #sizes = new Map<NodeId, number>();
  readonly #open = new Map<number, OpenFile>();
  #lastNode = 0;

  constructor(folder: string, marksOf: MarksOf) {
    this.#folder = folder;
    this.#marksOf = marksOf;
  }

  apply(call: SystemCall, before: number): void {
    switch (call.name) {
      case "open":
      case "creat":
      case "openat":
        this.#opened(call);
        break;
      case "close":
        this.#open.delete(descriptorOf(call).number);
        break;
      case "lseek":
      case "read":
        this.#moved(call);
        break;
      case "write":
      case "writev":
      case "sendto":
      case "sendmsg":
      case "pwrite64":
      case "pwritev":
        this.#wrote(call);
        break;
      case "ftruncate":
        this.#truncated(this.#open.get(descriptorOf(call).number)?.node, lastNumber(call));
        break;
      case "truncate":
        this.#truncated(this.#nodes.get(this.#places(call)[0] ?? "?"), lastNumber(call));
        break;
      case "fsync":
      case "fdatasync": {
        const node = this.#open.get(descriptorOf(call).number)?.node;
        if (node !== undefined) this.operations.push({ op: "sync", node, before });
        break;
      }
      case "mkdir":
      case "mkdirat":
        this.#created(this.#places(call)[0], true);
        break;
      case "rename":
      case "renameat":
      case "renameat2":
        this.#renamed(...this.#places(call));
        break;
      case "unlink":
      case "unlinkat":
      case "rmdir":
        this.#removed(this.#places(call)[0]);
        break;
      case "mmap":
        this.#mapped(call);
        break;
      default:
        if (this.#places(call).some((place) => place !== undefined)) unseen(call);
        if (this.#open.has(descriptorOf(call).number)) unseen(call);
    }
  }

  #opened(call: SystemCall): void {
    const place = this.#places(call)[0];
    if (place === undefined) {
      this.#open.delete(call.result);
      return;
    }
    const flags = call.text.slice(call.text.lastIndexOf('"'));
    const creates = call.name === "creat" || flags.includes("O_CREAT");
    let node = this.#nodes.get(place);
    if (node === undefined && creates) this.#created(place, false);
    else if (flags.includes("O_TRUNC")) this.#truncated(node, 0);
    node = this.#nodes.get(place);
    if (node === undefined) return;
    this.#open.set(call.result, {
      node,
      isAppending: flags.includes("O_APPEND"),
      isSynced: /O_D?SYNC/.test(flags),
      cursor: 0,
    });
  }

  #moved(call: SystemCall): void {
    const file = this.#open.get(descriptorOf(call).number);
    if (!file) return;
    file.cursor = call.name === "lseek" ? call.result : file.cursor + call.result;
  }

  #wrote(call: SystemCall): void {
    const descriptor = descriptorOf(call);
    const file = this.#open.get(descriptor.number);
    if (!file) {
      if (descriptor.path.startsWith("/")) return;
      const text = Buffer.concat(stringsOf(call)).subarray(0, call.result).toString("latin1");
      for (const label of this.#marksOf(text, descriptor.number))
        this.operations.push({ op: "mark", label });
      return;
    }
    const data = Buffer.concat(stringsOf(call)).subarray(0, call.result);
    const isPlaced = call.name === "pwrite64" || call.name === "pwritev";
    const size = this.#sizes.get(file.node) ?? 0;
    const offset = isPlaced ? lastNumber(call) : file.isAppending ? size : file.cursor;
    if (!isPlaced) file.cursor = offset + data.length;
    this.#sizes.set(file.node, Math.max(size, offset + data.length));
    this.operations.push({ op: "write", node: file.node, offset, data });
    if (!file.isSynced) return;
    this.operations.push({ op: "sync", node: file.node, before: this.operations.length });
  }

  #truncated(node: NodeId | undefined, length: number): void {
    if (node === undefined) return;
    this.#sizes.set(node, length);
    this.operations.push({ op: "truncate", node, length });
  }

  #created(path: string | undefined, folder: boolean): void {
    if (path === undefined) return;
    const node = ++this.#lastNode as NodeId;
    this.#nodes.set(path, node);
    this.operations.push({ op: "create", path, node, folder });
  }

  #renamed(from?: string, to?: string): void {
    if (from === undefined && to === undefined) return;
    if (from === undefined || to === undefined) throw new Error("a rename leaves the folder");
    for (const [path, node] of [...this.#nodes]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.#nodes.delete(path);
      this.#nodes.set(to + path.slice(from.length), node);
    }
    this.operations.push({ op: "rename", from, to });
  }

  #removed(path: string | undefined): void {
    if (path === undefined) return;
    this.#nodes.delete(path);
    this.operations.push({ op: "unlink", path });
  }

  /** Writes through shared memory go unseen. SQLite's `-shm` is rebuilt, so its loss is no loss. */
  #mapped(call: SystemCall): void {
    if (!call.text.includes("MAP_SHARED") || !call.text.includes("PROT_WRITE")) return;
    const mapped = foldersOf(call).find((path) => this.#inside(path) !== undefined);
    if (mapped && !mapped.endsWith("-shm")) unseen(call);
  }

  /** The paths that the call names, relative to the folder; undefined for one outside. */
  #places(call: SystemCall): (string | undefined)[] {
    const folders = foldersOf(call);
    return stringsOf(call).map((path, index) =>
      this.#inside(resolve(folders[index] ?? "/", path.toString())),
    );
  }

  #inside(path: string): string | undefined {
    const inside = relative(this.#folder, path).split(sep).join("/");
    return inside === ".." || inside.startsWith("../") ? undefined : inside;
  }
}

function unseen(call: SystemCall): never {
  throw new Error(`the writer used ${call.name}, which is not recorded`);
}
