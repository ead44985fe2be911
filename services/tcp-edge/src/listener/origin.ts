const originBytesMax = 255;

/**
 * The origin that a login over WebSocket is bound to, as the client signs it; undefined where it
 * is missing or not allowed. Without a list, the origin must name the host that the request was
 * sent to, so that a page of another site cannot carry a device's login here.
 */
export function originOf(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[] | undefined,
): string | undefined {
  if (origin === undefined || origin.length > originBytesMax) return undefined;
  if (allowed) return allowed.includes(origin) ? origin : undefined;
  const named = hostOf(origin);
  return named !== undefined && named === hostOf(`https://${host ?? ""}`) ? origin : undefined;
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}
