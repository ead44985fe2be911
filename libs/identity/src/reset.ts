import { type DeviceId, fromHex, resetInput, type UserId } from "@sotto/protocol";
import { type Signer, verifyEd25519 } from "./ed25519.ts";
import type { ResetAllowance } from "./record.ts";

/** Whose identity may begin anew, with which invite, and from where. */
export interface Reset {
  readonly user: UserId;
  /** The invite's Ed25519 public key. */
  readonly inviteKey: Uint8Array;
  /** SHA-256 of the user's last record, hex: once there is another one, the word is void. */
  readonly prev: string;
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

/** The owner's word, by a device of the owner, that the user's identity may begin anew with this invite, as it stands now. */
export async function signReset(
  reset: Reset,
  expires: number,
  by: { readonly device: DeviceId; readonly signer: Signer },
): Promise<ResetAllowance> {
  return { device: by.device, expires, signature: await by.signer.sign(inputOf(reset, expires)) };
}

/**
 * True where a device of the owner that is not revoked signed the allowance for this user, invite and place. When it
 * expires is for the caller to compare. Never throws.
 */
export async function openReset(
  { device, expires, signature }: ResetAllowance,
  reset: Reset,
  directory: ResetJudge,
): Promise<boolean> {
  const signer = directory.device(device);
  const may =
    signer !== undefined &&
    signer.user === directory.owner &&
    signer.kind === "device" &&
    signer.revokedAt === undefined;
  if (!may || reset.inviteKey.length !== 32 || reset.prev.length !== 64) return false;
  return await verifyEd25519(signer.keys.sign, inputOf(reset, expires), signature);
}

function inputOf({ user, inviteKey, prev }: Reset, expiresMs: number): Uint8Array {
  return resetInput({ user: fromHex(user), inviteKey, prev: fromHex(prev), expiresMs });
}
