export { CertificateError, type CertificateSource } from "./certificate.ts";
export { type Edge, type EdgeDeps, startEdge } from "./edge.ts";
export type { EdgeConfig } from "./edge-config.ts";
export type { EdgeLimits } from "./edge-limits.ts";
export { ProxyNetworkError } from "./listener/proxy-networks.ts";
