import { BlockList, isIP } from "node:net";

/** Thrown for what is neither an address nor a network. */
export class ProxyNetworkError extends Error {
  override readonly name = "ProxyNetworkError";
}

/** The proxies that are believed: addresses (`10.0.0.1`, `::1`) and networks (`10.0.0.0/8`). */
export function proxyNetworks(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const proxy of proxies) add(list, proxy);
  return list;
}

/** True for an address whose connections must begin with a PROXY header. */
export function isProxy(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

function add(list: BlockList, proxy: string): void {
  const [address = "", prefix] = proxy.split("/");
  const family = isIP(address);
  const bitsMax = family === 6 ? 128 : 32;
  const bits = prefix === undefined ? bitsMax : Number(prefix);
  if (family === 0 || !/^\d{1,3}$/.test(prefix ?? "0") || bits > bitsMax)
    throw new ProxyNetworkError(`${proxy} is neither an address nor a network of proxies`);
  list.addSubnet(address, bits, family === 6 ? "ipv6" : "ipv4");
}
