import type { TestServer } from "./test-servers.ts";

/** A server in a container: its image, its command line and the line that says it is ready. */
export interface DockerServer {
  readonly image: string;
  readonly command: readonly string[];
  readonly port: number;
  readonly readyLine: RegExp;
  readonly scheme: string;
  readonly files: readonly { readonly target: string; readonly content: string }[];
}

/** Starts the container with its port on the loopback address; throws where Docker or the image is missing. */
export async function startInDocker(server: DockerServer): Promise<TestServer> {
  // Loaded late: a run with servers named by the environment needs none of it.
  const { GenericContainer, Wait } = await import("testcontainers");
  const container = await new GenericContainer(server.image)
    .withCommand([...server.command])
    .withCopyContentToContainer(server.files.map((file) => ({ ...file, mode: 0o644 })))
    .withExposedPorts(server.port)
    .withWaitStrategy(Wait.forLogMessage(server.readyLine))
    .withStartupTimeout(30_000)
    .start();
  return {
    url: `${server.scheme}://127.0.0.1:${container.getMappedPort(server.port)}`,
    origin: "docker",
    async [Symbol.asyncDispose]() {
      await container.stop({ timeout: 0, remove: true, removeVolumes: true });
    },
  };
}
