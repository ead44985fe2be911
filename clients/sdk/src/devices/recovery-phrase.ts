import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { signerFromSeed } from "@sotto/identity";
import { type SuiteName, sealingKeyOf } from "@sotto/mls";
import { parseDeviceId } from "@sotto/protocol";
import { randomBytes, utf8 } from "../bytes.ts";
import { SottoClientError } from "../errors.ts";
import { hkdf } from "./hkdf.ts";
import type { NewDevice } from "./new-device.ts";

const wordsInPhrase = 24;

/** A recovery phrase: 24 words for paper (BIP-39, English list), which stand for 256 random bits. */
export interface RecoveryPhrase {
  readonly words: string;
  /** 32 bytes. Secret. */
  readonly entropy: Uint8Array;
}

/** A new phrase from the platform's randomness. */
export function newPhrase(): RecoveryPhrase {
  const entropy = randomBytes(32);
  return { words: entropyToMnemonic(entropy, wordlist), entropy };
}

/**
 * The phrase that somebody typed: any case, any spaces. Throws BAD_PHRASE, with the first word that is in no
 * list; a word that was mistaken for another one of the list shows by the checksum, mostly.
 */
export function parsePhrase(text: string): RecoveryPhrase {
  const words = text
    .normalize("NFKD")
    .trim()
    .toLowerCase()
    .split(/[\s,]+/u);
  const strange = words.find((word) => !wordlist.includes(word));
  if (strange !== undefined && strange !== "")
    throw bad(`"${strange.slice(0, 20)}" is no word of a recovery phrase`);
  if (words.length !== wordsInPhrase)
    throw bad(`a recovery phrase has ${wordsInPhrase} words, not ${words[0] ? words.length : 0}`);
  const joined = words.join(" ");
  try {
    return { words: joined, entropy: mnemonicToEntropy(joined, wordlist) };
  } catch (cause) {
    throw bad("these words belong to no recovery phrase: one of them is another one", cause);
  }
}

/**
 * The keys of a phrase: a device that lies on paper. They follow from the server's identity and the cipher suite
 * too, so that a server that is not the one of the phrase finds nothing under it that it could answer to.
 */
export async function recoveryDevice(
  { entropy }: RecoveryPhrase,
  serverKeySha256: Uint8Array,
  suite: SuiteName,
): Promise<NewDevice> {
  const salt = Uint8Array.from([...serverKeySha256, ...utf8(suite)]);
  const derive = (purpose: string, length = 32) =>
    hkdf(entropy, `sotto-recovery-${purpose}-v1`, length, salt);
  const [id, auth, sign, mls, sealSeed] = await Promise.all([
    derive("device", 16),
    derive("auth"),
    derive("sign"),
    derive("mls"),
    derive("seal"),
  ]);
  const signer = await signerFromSeed(sign);
  const seal = await sealingKeyOf(sealSeed);
  return {
    description: {
      id: parseDeviceId(id),
      name: "recovery phrase",
      auth: (await signerFromSeed(auth)).publicKey,
      sign: signer.publicKey,
      mls: (await signerFromSeed(mls)).publicKey,
      seal: seal.publicKey,
    },
    secrets: { auth, sign, mls, seal: seal.privateKey },
    signer,
  };
}

function bad(message: string, cause?: unknown): SottoClientError {
  return new SottoClientError("BAD_PHRASE", message, { cause });
}
