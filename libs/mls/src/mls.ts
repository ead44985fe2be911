import {
  type CiphersuiteImpl,
  createGroup,
  joinGroup,
  joinGroupExternal,
  makePskIndex,
} from "ts-mls";
import type { CryptoEngine } from "./engine/crypto-engine.ts";
import { webEngine } from "./engine/web-engine.ts";
import type { ForeignGroups } from "./foreign-groups.ts";
import { Group, sameBytes } from "./group.ts";
import { type JoinedGroup, joinedGroup } from "./joined-group.ts";
import {
  type GeneratedKeyPackage,
  generate,
  type KeyPackageInput,
  openSecret,
  type ReadKeyPackage,
  read,
} from "./key-packages.ts";
import { identityOf, type Judge, type LeafIdentity, type SignatureKey } from "./leaf-identity.ts";
import { guarded, MlsError } from "./mls-error.ts";
import { policyExtension, safeConfig } from "./safe-config.ts";
import { decodeState, needsRatchets } from "./stored-group.ts";
import { loadSuite, type SuiteName } from "./suite.ts";
import { decodeMessage, decodeTree, encodeMessage, mlsBytesMax } from "./wire.ts";

export interface MlsOptions {
  readonly suite: SuiteName;
  /** Wall time, ms: for the lifetimes of KeyPackages. */
  now(): number;
  /** The primitives; default: the platform's WebCrypto. */
  readonly engine?: CryptoEngine;
}

/** MLS for one device: KeyPackages, and the groups that it makes, joins and restores. */
export class Mls {
  readonly #options: MlsOptions;
  readonly #cs: CiphersuiteImpl;
  readonly #foreign: ForeignGroups | undefined;

  /** `foreign`: for the official vectors alone. */
  constructor(options: MlsOptions, foreign?: ForeignGroups) {
    this.#options = options;
    this.#foreign = foreign;
    this.#cs = foreign?.suite ?? loadSuite(options.suite, options.engine ?? webEngine);
  }

  async generateKeyPackage(input: KeyPackageInput): Promise<GeneratedKeyPackage> {
    return await generate(this.#options.suite, this.#cs, this.#options.now(), input);
  }

  /** Decodes and verifies a KeyPackage. Rejects with `MlsError` BAD_MESSAGE, UNTRUSTED. */
  async readKeyPackage(bytes: Uint8Array): Promise<ReadKeyPackage> {
    return await read(this.#options.suite, this.#cs, bytes);
  }

  /** A new group with this device alone in it, at epoch 0. */
  async createGroup(input: {
    readonly room: Uint8Array;
    readonly identity: LeafIdentity;
    readonly signatureKey: SignatureKey;
    readonly policy: Uint8Array;
  }): Promise<Group> {
    const cs = this.#cs;
    const { keyPackage, privateKeys } = await this.#ownPackage(input);
    const extensions = [{ extensionType: policyExtension, extensionData: input.policy }];
    const state = await createGroup(
      input.room,
      keyPackage,
      privateKeys,
      extensions,
      cs,
      safeConfig(() => true),
    );
    return new Group(this.#options.suite, cs, state);
  }

  /** The group of a serialised state, or of an epoch state and its ratchets. Rejects with `MlsError` BROKEN_STATE. */
  async restore(bytes: Uint8Array, ratchets?: Uint8Array): Promise<Group> {
    const state = decodeState(bytes, ratchets);
    return new Group(this.#options.suite, this.#cs, state, needsRatchets(bytes));
  }

  /** References of the KeyPackages that a Welcome is for. Throws `MlsError` BAD_MESSAGE. */
  welcomeRefs(welcome: Uint8Array): Uint8Array[] {
    return decodeMessage(welcome, "mls_welcome", mlsBytesMax.handshake).welcome.secrets.map(
      ({ newMember }) => newMember,
    );
  }

  /** True where the secret is of a package that may be used again. */
  isLastResort(secret: Uint8Array): boolean {
    return openSecret(secret, new Uint8Array()).lastResort;
  }

  /** When the package of this secret ends, wall time in ms. Throws `MlsError` BROKEN_STATE. */
  endOf(secret: Uint8Array): number {
    const { lifetime } = openSecret(secret, new Uint8Array()).keyPackage.leafNode;
    return Number(lifetime.notAfter) * 1000;
  }

  /** Joins by a Welcome and the tree beside or in it; every leaf of the tree is judged. Rejects with `MlsError`. */
  async joinFromWelcome(input: {
    readonly welcome: Uint8Array;
    readonly tree: Uint8Array | undefined;
    readonly secret: Uint8Array;
    readonly signatureKey: SignatureKey;
    readonly judge: Judge;
  }): Promise<Group> {
    const cs = this.#cs;
    const { welcome } = decodeMessage(input.welcome, "mls_welcome", mlsBytesMax.handshake);
    if (welcome.cipherSuite !== cs.name) {
      throw new MlsError("BAD_MESSAGE", "a Welcome of another cipher suite");
    }
    const { keyPackage, privateKeys } = openSecret(input.secret, input.signatureKey.privateKey);
    const tree = input.tree && decodeTree(input.tree);
    const foreign = this.#foreign;
    const state = await guarded("BAD_MESSAGE", () =>
      joinGroup(
        welcome,
        keyPackage,
        privateKeys,
        makePskIndex(undefined, { ...foreign?.psks }),
        cs,
        tree,
        undefined,
        safeConfig(input.judge, foreign?.identityOf),
      ),
    );
    return new Group(this.#options.suite, cs, state, false, foreign);
  }

  /**
   * Makes an external commit that brings this device into the group, in place of its own old leaf where the
   * tree has one. The group is good once the commit has won. Rejects with `MlsError`.
   */
  async joinByExternalCommit(input: {
    readonly groupInfo: Uint8Array;
    readonly tree: Uint8Array;
    readonly identity: LeafIdentity;
    readonly signatureKey: SignatureKey;
    readonly judge: Judge;
  }): Promise<{
    readonly commit: Uint8Array;
    readonly groupInfo: Uint8Array;
    readonly group: Group;
    readonly joined: JoinedGroup;
  }> {
    const cs = this.#cs;
    const { groupInfo } = decodeMessage(input.groupInfo, "mls_group_info", mlsBytesMax.handshake);
    const tree = decodeTree(input.tree);
    const before = joinedGroup(groupInfo, tree);
    const own = input.identity.device;
    const old = tree.find(
      (node) => node?.nodeType === "leaf" && identityOf(node.leaf.credential).device === own,
    );
    // The library looks for the old leaf by its key, and never ends where there is none.
    const oldKey = old?.nodeType === "leaf" ? old.leaf.signaturePublicKey : undefined;
    if (oldKey && !sameBytes(oldKey, input.signatureKey.publicKey))
      throw new MlsError("UNTRUSTED", "this device's leaf in the group has a key of somebody else");
    const resync = oldKey !== undefined;
    const { keyPackage, privateKeys } = await this.#ownPackage(input);
    const joined = await guarded("BAD_MESSAGE", () =>
      joinGroupExternal(
        groupInfo,
        keyPackage,
        privateKeys,
        resync,
        cs,
        tree,
        safeConfig(input.judge),
      ),
    );
    const { publicMessage, newState } = joined;
    const group = new Group(this.#options.suite, cs, newState);
    return {
      commit: encodeMessage({ version: "mls10", wireformat: "mls_public_message", publicMessage }),
      groupInfo: await group.groupInfo(),
      group,
      joined: before,
    };
  }

  async #ownPackage(input: {
    readonly identity: LeafIdentity;
    readonly signatureKey: SignatureKey;
  }) {
    const { identity, signatureKey } = input;
    const own = await this.generateKeyPackage({ identity, signatureKey, lastResort: false });
    return openSecret(own.secret, signatureKey.privateKey);
  }
}

/** MLS with one suite. */
export function createMls(options: MlsOptions): Mls {
  return new Mls(options);
}
