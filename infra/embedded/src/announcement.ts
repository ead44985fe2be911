import { type PublicAddress, showAddress } from "@sotto/settings";
import qrcode from "qrcode";

export interface Announced {
  /** What the server listens on. */
  readonly listening: { readonly host: string; readonly port: number };
  readonly admin: { readonly host: string; readonly port: number };
  readonly reachable: PublicAddress;
  readonly data: string;
  /** While the server has no owner. */
  readonly ownerInvite: { readonly invite: string; readonly link: string } | undefined;
}

/** The lines of `--json-logs` that programs wait for. */
export function announceJson(announced: Announced): string {
  const { listening, data, ownerInvite } = announced;
  const lines = [JSON.stringify({ event: "ready", address: showAddress(listening), data })];
  if (ownerInvite) lines.push(JSON.stringify({ event: "invite", ...ownerInvite }));
  return `${lines.join("\n")}\n`;
}

/** What a person reads when the server is ready. */
export async function announceToPeople(announced: Announced, terminal: boolean): Promise<string> {
  const { listening, admin, data, ownerInvite, reachable } = announced;
  const lines = [
    "",
    `  Sotto is ready on ${showAddress(listening)}`,
    `  data     ${data}`,
    `  health   http://${showAddress(admin)}/readyz`,
  ];
  if (reachable.localOnly) {
    lines.push(
      "",
      "  Only this machine can reach it, and its invites work on this machine alone.",
      "  To open it to others:  npm start -- --host 0.0.0.0   (and --address NAME for a name of yours)",
      "  Do so before anybody joins: invites and profiles keep the address that they were made with.",
    );
  }
  if (ownerInvite) {
    const qr = terminal
      ? await qrcode.toString(ownerInvite.link, { type: "terminal", small: true })
      : "";
    lines.push(
      "",
      "  This server has no owner yet. Whoever joins with this invite is it:",
      "",
      ...(qr ? [qr] : []),
      `  ${ownerInvite.link}`,
      "",
      "  On this machine, in this folder:",
      `  ./sotto join '${ownerInvite.invite}' --name YOU`,
    );
  }
  lines.push("", "  Ctrl-C stops it.", "");
  return `${lines.join("\n")}\n`;
}
