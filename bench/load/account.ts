import { systemClock } from "@sotto/clock";
import {
  arrivalProof,
  createUserRecord,
  generateEd25519,
  inviteKeys,
  parseInvite,
  type Signer,
  sha256,
  signerFromSeed,
} from "@sotto/identity";
import { type DeviceId, foldName, parseDeviceId, parseUserId, type UserId } from "@sotto/protocol";
import { tlsTransport } from "@sotto/sdk/node";
import { Connection, type ConnectionEvents } from "../../clients/sdk/src/connection/connection.ts";
import { authenticate } from "../../clients/sdk/src/connection/session.ts";

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const silent: ConnectionEvents = { event: () => {}, record: () => {}, closed: () => {} };

/** An account whose messages are random bytes: the server cannot tell, and the generator saves the sealing. */
export interface Account {
  readonly user: UserId;
  readonly device: DeviceId;
  readonly sign: Signer;
  readonly auth: Signer;
}

/** A way to the server under measurement. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Registers somebody with an invite's secret. */
export async function register(target: Target, secret: Uint8Array, name: string): Promise<Account> {
  const [auth, sign, mls] = await Promise.all([
    generateEd25519(),
    generateEd25519(),
    generateEd25519(),
  ]);
  const { serverToken, inviteKey } = await inviteKeys(secret);
  const user = parseUserId(random(16));
  const device = parseDeviceId(random(16));
  const proof = await arrivalProof(inviteKey, {
    user,
    device,
    sign: sign.publicKey,
    mls: mls.publicKey,
  });
  const signer = await signerFromSeed(sign.seed);
  const record = await createUserRecord({
    user,
    name: foldName(name),
    at: systemClock.now(),
    device: {
      id: device,
      name: "bench",
      auth: auth.publicKey,
      sign: sign.publicKey,
      mls: mls.publicKey,
      seal: random(1216),
    },
    invite: { key: inviteKey.publicKey, proof },
    signer,
  });
  const { connection } = await Connection.open(
    tlsTransport,
    target,
    silent,
    AbortSignal.timeout(10_000),
  );
  await connection.request({ case: "register", value: { serverToken, record } }, "registered");
  connection.close();
  return { user, device, sign: signer, auth: await signerFromSeed(auth.seed) };
}

/** A logged-in, quiet connection. */
export async function logIn(
  target: Target,
  account: Account,
  events: Partial<ConnectionEvents> = {},
): Promise<Connection> {
  const opened = await Connection.open(
    tlsTransport,
    target,
    { ...silent, ...events },
    AbortSignal.timeout(10_000),
  );
  const options = { device: account.device, authKey: account.auth, quiet: () => true };
  await authenticate(opened.connection, opened.hello, opened.transport, options);
  return opened.connection;
}

/** The owner, who joins with the invite that the server printed. */
export async function owner(target: Target, invite: string): Promise<Account> {
  return await register(target, parseInvite(invite).secret, "owner");
}

/** People who join by one invite of the owner's. */
export async function people(target: Target, inviter: Account, count: number): Promise<Account[]> {
  const secret = random(32);
  const { serverToken } = await inviteKeys(secret);
  const connection = await logIn(target, inviter);
  const value = {
    tokenHash: await sha256(serverToken),
    uses: count,
    expiresAtMs: 0n,
    grant: new Uint8Array(),
  };
  await connection.request({ case: "createInvite", value }, "inviteCreated");
  connection.close();
  const accounts: Account[] = [];
  for (let i = 0; i < count; i++) accounts.push(await register(target, secret, `p${i}`));
  return accounts;
}
