import { verifyEd25519 } from "@sotto/identity";
import { certificateInput, type Hello, toSafeNumber } from "@sotto/protocol";
import { equalBytes, sha256 } from "../bytes.ts";
import { SottoClientError } from "../errors.ts";
import type { TransportConnection } from "../ports/transport.ts";

/** Clocks of a laptop and a server may differ by this much. */
const clockSkewMs = 24 * 3600 * 1000;

/**
 * Checks that the server at the other end is the one that the invite pinned: its identity key has the
 * pinned hash and vouches for the certificate of this very connection. Throws WRONG_SERVER.
 */
export async function checkServer(
  hello: Hello,
  transport: TransportConnection,
  pinnedKeySha256: Uint8Array,
  nowMs: number,
): Promise<void> {
  if (!equalBytes(await sha256(hello.serverKey), pinnedKeySha256)) {
    throw wrong("its identity key is not the one in the invite");
  }
  const proof = hello.certificateProof;
  if (!proof) throw wrong("it does not prove its certificate");
  const notBeforeMs = toSafeNumber(proof.notBeforeMs);
  const notAfterMs = toSafeNumber(proof.notAfterMs);
  const signed = certificateInput({ spkiSha256: proof.spkiSha256, notBeforeMs, notAfterMs });
  if (!(await verifyEd25519(hello.serverKey, signed, proof.signature))) {
    throw wrong("the proof of its certificate is not valid");
  }
  if (nowMs < notBeforeMs - clockSkewMs || nowMs > notAfterMs + clockSkewMs) {
    throw wrong("the proof of its certificate has expired (is this machine's clock right?)");
  }
  if (transport.peerKeySha256 && !equalBytes(transport.peerKeySha256, proof.spkiSha256)) {
    throw wrong("its certificate is not the one that it proves; somebody may stand in between");
  }
}

function wrong(why: string): SottoClientError {
  return new SottoClientError("WRONG_SERVER", `this is not the server of your invite: ${why}`);
}
