import { wrongLimits } from "./limits.ts";
import { variables } from "./settings.ts";

type Values = Readonly<Record<string, unknown>>;

/** What is wrong with settings that are right one by one. */
export function together(values: Values): string[] {
  const problems: string[] = [];
  const pair = (one: keyof typeof variables, other: keyof typeof variables) => {
    if ((values[one] === undefined) === (values[other] === undefined)) return;
    const [missing, given] = values[one] === undefined ? [one, other] : [other, one];
    problems.push(`${variables[missing]} is missing: ${variables[given]} is of no use without it`);
  };
  pair("tlsKeyFile", "tlsCertificateFile");
  pair("natsUser", "natsPassword");
  pair("redisUser", "redisPassword");
  for (const [name, protocols] of Object.entries(protocolsOf)) {
    const value = values[name];
    if (typeof value === "string" && !protocols.includes(protocolOf(value)))
      problems.push(
        `${variables[name as keyof typeof protocolsOf]} must begin with ${protocols[0]}//`,
      );
  }
  const limits = Array.isArray(values["limits"]) ? values["limits"].map(String) : [];
  for (const wrong of wrongLimits(limits))
    problems.push(`${variables.limits} takes name=number with a name of PROTOCOL.md, not ${wrong}`);
  return problems;
}

const protocolsOf: Readonly<Record<"natsUrl" | "redisUrl" | "mediaUrl", readonly string[]>> = {
  natsUrl: ["nats:", "tls:"],
  redisUrl: ["redis:", "rediss:"],
  mediaUrl: ["http:"],
};

function protocolOf(url: string): string {
  try {
    return new URL(url).protocol;
  } catch {
    return "";
  }
}
