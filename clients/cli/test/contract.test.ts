import { startServer } from "../../../infra/demo/server.ts";
import { describeContract } from "./contract.ts";

describeContract("on an embedded server", async (folder) => {
  const server = await startServer(folder, 0);
  const { address, ownerInvite = "" } = server;
  return { address, ownerInvite, stop: () => server.stop() };
});
