import { type DeviceId, fromHex, resetInput, type UserId } from "@sotto/protocol";
import { type Signer, verifyEd25519 } from "./ed25519.ts";
import type { ResetAllowance } from "./record.ts";

/** Whose identity may begin anew, and with which invite. */
export interface Reset {
  readonly user: UserId;
  /** The invite's Ed25519 public key. */
  readonly inviteKey: Uint8Array;
}

/** What a directory says of who may allow a reset. */
export interface ResetJudge {
  /** The first user. */
  readonly owner: UserId | undefined;
  device(id: DeviceId):
    | {
        readonly user: UserId;
        readonly kind: "device" | "recovery";
        readonly keys: { readonly sign: Uint8Array };
        readonly revokedAt: number | undefined;
      }
    | undefined;
}

/** The owner's word, by a device of the owner, that the user's identity may begin anew with this invite. */
export async function signReset(
  { user, inviteKey }: Reset,
  expires: number,
  by: { readonly device: DeviceId; readonly signer: Signer },
): Promise<ResetAllowance> {
  const input = resetInput({ user: fromHex(user), inviteKey, expiresMs: expires });
  return { device: by.device, expires, signature: await by.signer.sign(input) };
}

/**
 * True where a device of the owner that is not revoked signed the allowance for this user and invite. When it
 * expires is for the caller to compare. Never throws.
 */
export async function openReset(
  { device, expires, signature }: ResetAllowance,
  { user, inviteKey }: Reset,
  directory: ResetJudge,
): Promise<boolean> {
  const signer = directory.device(device);
  const may =
    signer !== undefined &&
    signer.user === directory.owner &&
    signer.kind === "device" &&
    signer.revokedAt === undefined;
  if (!may || inviteKey.length !== 32) return false;
  const input = resetInput({ user: fromHex(user), inviteKey, expiresMs: expires });
  return await verifyEd25519(signer.keys.sign, input, signature);
}
