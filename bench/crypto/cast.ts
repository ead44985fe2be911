import {
  type CryptoEngine,
  createMls,
  type Group,
  type Judge,
  type LeafIdentity,
  type Mls,
  type SignatureKey,
  type SuiteName,
} from "@sotto/mls";
import { nodeEngine } from "@sotto/mls/node";
import { limits } from "@sotto/protocol";

const everybody: Judge = () => true;
const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

interface Newcomer {
  readonly mls: Mls;
  readonly identity: LeafIdentity;
  readonly signatureKey: SignatureKey;
}

function newcomer(suite: SuiteName, engine: CryptoEngine): Newcomer {
  const privateKey = random(32);
  const publicKey = nodeEngine.signaturePublicKeyOf(privateKey) as Uint8Array;
  return {
    mls: createMls({ suite, engine, now: () => Date.now() }),
    identity: { user: hex(random(16)), device: hex(random(16)), recordHash: random(32) },
    signatureKey: { publicKey, privateKey },
  };
}

/** A group of `devices`, and what its last one joins by. */
export interface Cast {
  readonly founder: Group;
  /** Lets the last device in, every time anew. */
  join(engine: CryptoEngine): Promise<Group>;
}

/**
 * A group that was filled by commits of as many adds as an envelope holds. `engine` is the founder's; who joins
 * brings their own.
 */
export async function cast(suite: SuiteName, devices: number, engine: CryptoEngine): Promise<Cast> {
  const first = newcomer(suite, engine);
  const founder = await first.mls.createGroup({
    ...first,
    room: random(16),
    policy: new Uint8Array(),
  });
  const last = newcomer(suite, engine);
  const lastPackage = await last.mls.generateKeyPackage({ ...last, lastResort: false });
  let left = devices - 2;
  while (left > 0) {
    const count = Math.min(left, limits.addedDevicesMax);
    const packages = [];
    for (let i = 0; i < count; i++) {
      const other = newcomer(suite, engine);
      packages.push(
        (await other.mls.generateKeyPackage({ ...other, lastResort: false })).keyPackage,
      );
    }
    await founder.confirm((await founder.stageAdd(packages, everybody)).serialise());
    left -= count;
  }
  const staged = await founder.stageAdd([lastPackage.keyPackage], everybody);
  await founder.confirm(staged.serialise());
  const { welcome, tree } = staged;
  if (!welcome) throw new Error("an add without a Welcome");
  return {
    founder,
    join: async (engineOfLast) =>
      await createMls({ suite, engine: engineOfLast, now: () => Date.now() }).joinFromWelcome({
        welcome,
        tree,
        secret: lastPackage.secret,
        signatureKey: last.signatureKey,
        judge: everybody,
      }),
  };
}
