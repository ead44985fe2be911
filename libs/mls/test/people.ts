import {
  type CryptoEngine,
  createMls,
  type Group,
  type Judge,
  type LeafIdentity,
  type Mls,
  type SignatureKey,
  type SuiteName,
} from "../src/index.ts";
import { nodeEngine } from "../src/node.ts";

export const suites: readonly SuiteName[] = ["classical", "x-wing"];

export interface Person {
  readonly name: string;
  readonly mls: Mls;
  readonly identity: LeafIdentity;
  readonly signatureKey: SignatureKey;
}

export interface Member extends Person {
  group: Group;
}

export interface Cast {
  readonly judge: Judge;
  person(name: string): Person;
  /** A room with these people in it, the first one its creator. */
  room(names?: readonly string[]): Promise<[Member, Member, Member]>;
}

/** A key pair as a device has it. */
export async function signatureKey(): Promise<SignatureKey> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const jwk = await crypto.subtle.exportKey("jwk", pair.privateKey);
  const decode = (value = "") => Uint8Array.from(Buffer.from(value, "base64url"));
  return { publicKey: decode(jwk.x), privateKey: decode(jwk.d) };
}

type CryptoKeyPair = { readonly privateKey: Parameters<typeof crypto.subtle.exportKey>[1] };

/** What somebody's device stands on. */
export interface Setting {
  readonly engine: CryptoEngine;
  readonly now: () => number;
}

/** Somebody with one device, whose keys `known` certifies. */
export async function person(
  suite: SuiteName,
  name: string,
  known: Map<string, Uint8Array>,
  { engine = nodeEngine, now = Date.now }: Partial<Setting> = {},
): Promise<Person> {
  const key = await signatureKey();
  const random = () => Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
  const identity = {
    user: random(),
    device: random(),
    recordHash: crypto.getRandomValues(new Uint8Array(32)),
  };
  known.set(identity.device, key.publicKey);
  return { name, mls: createMls({ suite, now, engine }), identity, signatureKey: key };
}

export function judgeOf(known: ReadonlyMap<string, Uint8Array>): Judge {
  return (leaf, key) => Buffer.compare(known.get(leaf.device) ?? new Uint8Array(), key) === 0;
}

/** Lets `newcomer` into the groups of `members` by a commit of the first one. */
export async function letIn(
  members: readonly Member[],
  newcomer: Person,
  judge: Judge,
): Promise<Member> {
  const [first, ...others] = members as [Member, ...Member[]];
  const made = await newcomer.mls.generateKeyPackage({ ...newcomer, lastResort: false });
  const staged = await first.group.stageAdd([made.keyPackage], judge);
  const expect = {
    kind: "add",
    committer: first.identity.device,
    added: [newcomer.identity.device],
    removed: [],
  } as const;
  for (const { group } of others) await group.process(staged.commit, { expect, judge });
  await first.group.confirm(staged.serialise());
  const group = await newcomer.mls.joinFromWelcome({
    welcome: staged.welcome ?? new Uint8Array(),
    tree: staged.tree,
    secret: made.secret,
    signatureKey: newcomer.signatureKey,
    judge,
  });
  return { ...newcomer, group };
}

/** A group with one member. */
export async function founded(founder: Person): Promise<Member> {
  const group = await founder.mls.createGroup({
    ...founder,
    room: crypto.getRandomValues(new Uint8Array(16)),
    policy: new Uint8Array([1]),
  });
  return { ...founder, group };
}

/** People by name, each on the setting at their place. */
export async function people(
  suite: SuiteName,
  names: readonly string[],
  settings: readonly Partial<Setting>[] = [],
): Promise<Cast> {
  const known = new Map<string, Uint8Array>();
  const all = new Map<string, Person>();
  for (const [i, name] of names.entries())
    all.set(name, await person(suite, name, known, settings[i]));
  const judge = judgeOf(known);
  const find = (name: string) => {
    const found = all.get(name);
    if (!found) throw new Error(`nobody is called ${name}`);
    return found;
  };
  return {
    judge,
    person: find,
    async room(present = names) {
      const [first = "", ...others] = present;
      const members = [await founded(find(first))];
      for (const name of others) members.push(await letIn(members, find(name), judge));
      return members as [Member, Member, Member];
    },
  };
}
