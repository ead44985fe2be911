/** Identity of a file's or folder's contents, whatever names it has. */
export type NodeId = number & { readonly __nodeId: unique symbol };

/**
 * What a writer did to a folder, in order of completion. Paths are relative to the recorded
 * folder ("" is the folder itself), with `/` between names.
 */
export type FileOperation =
  /** A new name: a file that was created, or a folder. */
  | {
      readonly op: "create";
      readonly path: string;
      readonly node: NodeId;
      readonly folder: boolean;
    }
  | {
      readonly op: "write";
      readonly node: NodeId;
      readonly offset: number;
      readonly data: Uint8Array;
    }
  | { readonly op: "truncate"; readonly node: NodeId; readonly length: number }
  | { readonly op: "rename"; readonly from: string; readonly to: string }
  | { readonly op: "unlink"; readonly path: string }
  /** Covers what completed before operation `before`: contents of a file, or entries of a folder. */
  | { readonly op: "sync"; readonly node: NodeId; readonly before: number }
  /** Something that the writer promised at this moment, such as an acknowledgement. */
  | { readonly op: "mark"; readonly label: string };

/** File operations from a known beginning: an empty folder that lasts. */
export interface Recording {
  readonly operations: readonly FileOperation[];
}

/** The node of the recorded folder itself. */
export const rootNode = 0 as NodeId;
