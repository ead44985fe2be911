import type { ClientState } from "ts-mls";
import { MlsError } from "./mls-error.ts";
import { pack, unpack } from "./packed.ts";

type SecretTree = ClientState["secretTree"];
type SecretTreeNode = SecretTree[number];
type Ratchet = SecretTreeNode["application"];

const ratchetsVersion = 1;

/**
 * The ratchets of a group's present epoch: what moves with every message, apart from the rest of the state, which
 * a large group has hundreds of kilobytes of. Bound to the epoch by its authenticator. Secret.
 */
export function encodeRatchets(state: ClientState): Uint8Array {
  const { epochAuthenticator } = state.keySchedule;
  return pack(ratchetsVersion, [epochAuthenticator, encodeTree(state.secretTree)]);
}

/** `state` with its ratchets put in. Throws `MlsError` BROKEN_STATE where they are of another epoch, or cut off. */
export function withRatchets(state: ClientState, stored: Uint8Array): ClientState {
  const [authenticator, encoded] = unpack(stored, ratchetsVersion, 2);
  const own = state.keySchedule.epochAuthenticator;
  if (!authenticator || !encoded || own.some((byte, i) => byte !== authenticator[i]))
    throw new MlsError("BROKEN_STATE", "the stored ratchets are of another epoch");
  return { ...state, secretTree: decodeTree(encoded) };
}

/** Only leaves have ratchets that anybody uses: each one's two, in order. */
function encodeTree(tree: SecretTree): Uint8Array {
  const leaves = tree.filter((_, index) => index % 2 === 0);
  const ratchets = leaves.flatMap((node) => [node.application, node.handshake]);
  const output = new Uint8Array(ratchets.reduce((sum, ratchet) => sum + sizeOf(ratchet), 0));
  const view = new DataView(output.buffer);
  let at = 0;
  for (const ratchet of ratchets) {
    const unused = Object.entries(ratchet.unusedGenerations);
    view.setUint32(at, ratchet.generation);
    view.setUint16(at + 4, unused.length);
    at = putSecret(output, at + 6, ratchet.secret);
    for (const [generation, secret] of unused) {
      view.setUint32(at, Number(generation));
      at = putSecret(output, at + 4, secret);
    }
  }
  return output;
}

function sizeOf({ secret, unusedGenerations }: Ratchet): number {
  let bytes = 7 + secret.length;
  for (const unused of Object.values(unusedGenerations)) bytes += 5 + unused.length;
  return bytes;
}

function putSecret(output: Uint8Array, at: number, secret: Uint8Array): number {
  output[at] = secret.length;
  output.set(secret, at + 1);
  return at + 1 + secret.length;
}

function decodeTree(bytes: Uint8Array): SecretTree {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tree: SecretTree = [];
  let at = 0;
  try {
    while (at < bytes.length) {
      const application = ratchet();
      const handshake = ratchet();
      if (tree.length > 0) tree.push(withoutRatchets);
      tree.push({ application, handshake });
    }
  } catch (cause) {
    throw new MlsError("BROKEN_STATE", "stored ratchets are cut off", { cause });
  }
  return tree;

  function ratchet(): Ratchet {
    const generation = view.getUint32(at);
    const count = view.getUint16(at + 4);
    at += 6;
    const whole = secret();
    const unusedGenerations: Record<number, Uint8Array> = {};
    for (let i = 0; i < count; i++) {
      const unused = view.getUint32(at);
      at += 4;
      unusedGenerations[unused] = secret();
    }
    return { secret: whole, generation, unusedGenerations };
  }

  function secret(): Uint8Array {
    const length = view.getUint8(at);
    const end = at + 1 + length;
    if (end > bytes.length) throw new RangeError("a secret beyond the end");
    // A copy of its own: used secrets are overwritten.
    const copy = new Uint8Array(bytes.subarray(at + 1, end));
    at = end;
    return copy;
  }
}

const nobody: Ratchet = { secret: new Uint8Array(), generation: 0, unusedGenerations: {} };
const withoutRatchets: SecretTreeNode = { application: nobody, handshake: nobody };
