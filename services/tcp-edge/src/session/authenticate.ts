import {
  type Authenticate,
  authInput,
  CloseCode,
  ErrorCode,
  fromHex,
  parseDeviceId,
} from "@sotto/protocol";
import { answered, refuse } from "./answer.ts";
import { close } from "./close.ts";
import type { Effect, LoginFailure } from "./effect.ts";
import type { DeviceFacts } from "./input.ts";
import type { Session } from "./session.ts";

/** The version of the protocol that this edge speaks. */
export const protocolVersion = 1;

const clientNonceBytes = 32;
const signatureBytes = 64;

/**
 * A device claims to be itself. Whatever comes of it, this connection's nonce is spent: a second
 * claim needs a new connection.
 */
export function authenticate(session: Session, stream: number, body: Authenticate): Effect[] {
  if (session.phase !== "greeting") {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "a login is under way");
  }
  if (body.protocolVersion !== protocolVersion) {
    return fail(session, stream, "unsupported-version", ErrorCode.UNSUPPORTED_VERSION);
  }
  if (
    body.nonce.length !== clientNonceBytes ||
    body.signature.length !== signatureBytes ||
    body.device.length !== 16
  ) {
    return fail(session, stream, "bad-request", ErrorCode.BAD_REQUEST);
  }
  const device = parseDeviceId(body.device);
  session.phase = "authenticating";
  session.claim = {
    stream,
    device,
    clientNonce: Uint8Array.from(body.nonce),
    signature: Uint8Array.from(body.signature),
    quiet: body.quiet,
  };
  return [{ kind: "lookUpDevice", device }];
}

/** The keyserver told who the device is. An unknown one is answered exactly as a bad signature. */
export function deviceFound(session: Session, facts: DeviceFacts | undefined): Effect[] {
  const claim = session.claim;
  if (!claim) return [];
  if (!facts) return fail(session, claim.stream, "unknown-device", ErrorCode.BAD_SIGNATURE);
  const message = authInput({
    serverKey: session.serverKey,
    serverNonce: session.nonce,
    clientNonce: claim.clientNonce,
    device: fromHex(claim.device),
    binding: session.binding,
  });
  return [{ kind: "verify", facts, message, signature: claim.signature }];
}

/** The signature was checked. Only who proved to be the device learns that it is revoked. */
export function verified(session: Session, facts: DeviceFacts, valid: boolean): Effect[] {
  const claim = session.claim;
  if (!claim) return [];
  if (!valid) return fail(session, claim.stream, "bad-signature", ErrorCode.BAD_SIGNATURE);
  if (facts.revoked) return fail(session, claim.stream, "revoked", ErrorCode.DEVICE_REVOKED);
  if (facts.disabled) return fail(session, claim.stream, "disabled", ErrorCode.ACCOUNT_DISABLED);
  const { device, quiet } = claim;
  return [{ kind: "admit", facts, user: facts.user, device, quiet }];
}

/** The edge counted the connection to its device, or found that it has too many. */
export function admitted(session: Session, facts: DeviceFacts, tooMany: boolean): Effect[] {
  const claim = session.claim;
  if (!claim) return [];
  if (tooMany) {
    return [
      { kind: "loginFailed", reason: "too-many-connections" },
      ...refuse(session, claim.stream, ErrorCode.BUSY, "this device has too many connections"),
      ...close(session, CloseCode.TOO_MANY_CONNECTIONS, "this device has too many connections"),
    ];
  }
  session.claim = undefined;
  session.phase = "ready";
  session.principal = { user: facts.user, device: claim.device, quiet: claim.quiet };
  return [
    { kind: "loggedIn" },
    ...answered(session, claim.stream, {
      case: "authenticated",
      value: {
        user: fromHex(facts.user),
        directorySize: facts.directorySize,
        keyPackagesLeft: facts.keyPackagesLeft,
      },
    }),
  ];
}

/** Nobody could judge the claim: not the device's fault. */
export function loginUnavailable(session: Session): Effect[] {
  const claim = session.claim;
  if (!claim) return [];
  return [
    { kind: "loginFailed", reason: "unavailable" },
    ...refuse(session, claim.stream, ErrorCode.UNAVAILABLE, "logins cannot be checked now"),
    ...close(session, CloseCode.OVERLOADED, "logins cannot be checked now", 1000),
  ];
}

function fail(session: Session, stream: number, reason: LoginFailure, code: ErrorCode): Effect[] {
  const message =
    code === ErrorCode.ACCOUNT_DISABLED
      ? "the server's operator disabled this account"
      : "the login was refused";
  return [
    { kind: "loginFailed", reason },
    ...refuse(session, stream, code, message),
    ...close(session, closeCodeOf(code), message),
  ];
}

function closeCodeOf(code: ErrorCode): CloseCode {
  if (code === ErrorCode.DEVICE_REVOKED) return CloseCode.DEVICE_REVOKED;
  if (code === ErrorCode.ACCOUNT_DISABLED) return CloseCode.ACCOUNT_DISABLED;
  if (code === ErrorCode.UNSUPPORTED_VERSION) return CloseCode.UNSUPPORTED;
  return CloseCode.AUTHENTICATION_FAILED;
}
