import type { MailboxOpened, MailboxPut } from "@sotto/directory";
import { ErrorCode, limits, SottoError, toHex } from "@sotto/protocol";
import {
  type Answer,
  type Keyserver,
  type Principal,
  type RequestValue,
  retryAfterMs,
} from "./command.ts";

const channelBytes = 16;

const openRefusals: Readonly<Record<Exclude<MailboxOpened, "OPEN">, SottoError>> = {
  TAKEN: new SottoError(ErrorCode.FORBIDDEN, "that channel is another device's"),
  FULL: new SottoError(ErrorCode.RATE_LIMITED, "too many links are open; try again later", {
    retryAfterMs,
  }),
};

const putRefusals: Readonly<Record<Exclude<MailboxPut, "DONE">, SottoError>> = {
  UNKNOWN: unknownLink(),
  CONFLICT: new SottoError(ErrorCode.FORBIDDEN, "another message stands under that number"),
};

/** Opens a mailbox through which a device of the caller's and a new one talk. */
export async function openLink(
  server: Keyserver,
  request: RequestValue<"openLink">,
  caller: Principal,
): Promise<Answer> {
  const now = server.clock.now();
  const opened = await server.store.openMailbox({
    channel: channelOf(request.channel),
    owner: caller.device,
    now,
    expiresAt: now + limits.linkLifetimeMs,
    ownedMax: server.limits.linksPerDeviceMax,
    allMax: server.limits.linksMax,
  });
  if (opened !== "OPEN") throw openRefusals[opened];
  return { case: "done", value: {} };
}

/** Leaves a message in a mailbox, once under each number. Whoever knows the channel may. */
export async function putLink(
  server: Keyserver,
  { channel, number, sealed }: RequestValue<"putLink">,
): Promise<Answer> {
  checkNumber(number);
  if (sealed.length === 0) throw new SottoError(ErrorCode.BAD_REQUEST, "the message is empty");
  if (sealed.length > limits.linkMessageBytesMax)
    throw new SottoError(ErrorCode.TOO_LARGE, "the message of a link is too large");
  const put = await server.store.putMail(channelOf(channel), number, sealed, server.clock.now());
  if (put !== "DONE") throw putRefusals[put];
  return { case: "done", value: {} };
}

/** A message of a mailbox; an empty one while there is none. */
export async function getLink(
  server: Keyserver,
  { channel, number }: RequestValue<"getLink">,
): Promise<Answer> {
  checkNumber(number);
  const sealed = await server.store.getMail(channelOf(channel), number, server.clock.now());
  if (!sealed) throw unknownLink();
  return { case: "linkMessage", value: { sealed } };
}

function channelOf(bytes: Uint8Array): string {
  if (bytes.length !== channelBytes)
    throw new SottoError(ErrorCode.BAD_REQUEST, `a channel has ${channelBytes} bytes`);
  return toHex(bytes);
}

function checkNumber(number: number): void {
  if (number >= limits.linkMessagesMax)
    throw new SottoError(
      ErrorCode.BAD_REQUEST,
      `a link has at most ${limits.linkMessagesMax} messages`,
    );
}

function unknownLink(): SottoError {
  return new SottoError(ErrorCode.LINK_UNKNOWN, "there is no such link, or not any more");
}
