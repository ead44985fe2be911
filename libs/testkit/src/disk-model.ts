import { FileContents } from "./file-contents.ts";
import { FolderEntries } from "./folder-entries.ts";
import { type FileOperation, type NodeId, rootNode } from "./recording.ts";
import type { Random } from "./seeded-random.ts";

type Change = Exclude<FileOperation, { op: "mark" | "sync" }>;

/** Files and folders as the page cache sees them, and what of it the disk is certain to hold. */
export class DiskModel {
  readonly #files = new Map<NodeId, FileContents>();
  readonly #folders = new Map<NodeId, FolderEntries>([[rootNode, new FolderEntries()]]);
  readonly #parentOf = new Map<NodeId, NodeId>();
  readonly #namesWithFile: boolean;

  constructor(options: { readonly namesWithFile: boolean }) {
    this.#namesWithFile = options.namesWithFile;
  }

  apply(change: Change, index: number): void {
    switch (change.op) {
      case "create":
        if (change.folder) this.#folders.set(change.node, new FolderEntries());
        else this.#files.set(change.node, new FileContents());
        this.#link(change.path, change.node, index);
        break;
      case "write":
        this.#files.get(change.node)?.change({ ...change, index });
        break;
      case "truncate":
        this.#files.get(change.node)?.change({ index, length: change.length });
        break;
      case "unlink":
        this.#folderOf(change.path)?.folder.change({ index, removed: nameOf(change.path) });
        break;
      case "rename":
        this.#rename(change.from, change.to, index);
        break;
    }
  }

  /** A sync of a file or folder that covers what completed before operation `before`. */
  sync(node: NodeId, before: number): void {
    this.#files.get(node)?.sync(before);
    this.#folders.get(node)?.sync(before);
    if (!this.#namesWithFile) return;
    // A journal that holds the file's creation holds that of its folders too.
    for (let child = node, parent = this.#parentOf.get(child); parent !== undefined; ) {
      this.#folders.get(parent)?.syncNode(child, before);
      child = parent;
      parent = this.#parentOf.get(child);
    }
  }

  /** What survives. Ends the use of this object. */
  lose(random: Random): { files: Map<string, Uint8Array>; folders: string[] } {
    const files = new Map<string, Uint8Array>();
    const folders: string[] = [];
    const walk = (node: NodeId, path: string) => {
      for (const [name, child] of this.#folders.get(node)?.lose(random) ?? []) {
        const place = path ? `${path}/${name}` : name;
        const contents = this.#files.get(child);
        if (contents) files.set(place, contents.lose(random));
        else {
          folders.push(place);
          walk(child, place);
        }
      }
    };
    walk(rootNode, "");
    return { files, folders };
  }

  #link(path: string, node: NodeId, index: number): void {
    const parent = this.#folderOf(path);
    if (!parent) return;
    parent.folder.change({ index, name: nameOf(path), node });
    this.#parentOf.set(node, parent.node);
  }

  #rename(from: string, to: string, index: number): void {
    const source = this.#folderOf(from);
    const target = this.#folderOf(to);
    const node = source?.folder.cached(nameOf(from));
    if (!source || !target || node === undefined) return;
    if (source.node === target.node) {
      // One change: after the loss the file has its old name or its new one.
      source.folder.change({ index, name: nameOf(to), node, removed: nameOf(from) });
      return;
    }
    source.folder.change({ index, removed: nameOf(from) });
    this.#link(to, node, index);
  }

  #folderOf(path: string): { node: NodeId; folder: FolderEntries } | undefined {
    let node = rootNode;
    for (const name of path.split("/").slice(0, -1)) {
      const next = this.#folders.get(node)?.cached(name);
      if (next === undefined) return undefined;
      node = next;
    }
    const folder = this.#folders.get(node);
    return folder && { node, folder };
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
