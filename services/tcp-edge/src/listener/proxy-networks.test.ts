import { expect, test } from "vitest";
import { isProxy, ProxyNetworkError, proxyNetworks } from "./proxy-networks.ts";

test("addresses and networks of both families are told from others", () => {
  const list = proxyNetworks(["10.1.2.3", "172.16.0.0/12", "fd00::/8"]);
  const believed = ["10.1.2.3", "172.31.255.255", "fd12::1"];
  const others = ["10.1.2.4", "172.32.0.1", "fe80::1", "127.0.0.1"];
  expect(believed.filter((address) => !isProxy(list, address))).toEqual([]);
  expect(others.filter((address) => isProxy(list, address))).toEqual([]);
  expect(isProxy(proxyNetworks([]), "127.0.0.1")).toBe(false);
  expect(isProxy(proxyNetworks(["0.0.0.0/0"]), "127.0.0.1")).toBe(true);
});

test.each(["haproxy", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::/129", ""])(
  "%j is refused",
  (proxy) => {
    expect(() => proxyNetworks([proxy])).toThrow(ProxyNetworkError);
  },
);
