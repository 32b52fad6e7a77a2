import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** Listens on a Unix socket for the one program that will connect, and speaks lines with it. */
export class LineServer {
  readonly #server: Server;
  readonly #socket: Promise<Socket>;
  #rest = '';

  private constructor(server: Server, onLine: (line: string) => void) {
    this.#server = server;
    this.#socket = once(server, 'connection').then(([socket]: Socket[]) => {
      if (socket === undefined) throw new Error('connection without a socket');
      socket.setEncoding('utf8').on('data', (text: string) => {
        const lines = (this.#rest + text).split('\n');
        this.#rest = lines.pop() ?? '';
        for (const line of lines) if (line.trim() !== '') onLine(line);
      });
      // A machine that ends resets its sockets; its end is noticed where its process is awaited.
      socket.on('error', () => undefined);
      return socket;
    });
  }

  static async listen(socketPath: string, onLine: (line: string) => void): Promise<LineServer> {
    const server = createServer();
    const lines = new LineServer(server, onLine);
    server.listen(socketPath);
    await once(server, 'listening');
    return lines;
  }

  async send(message: unknown): Promise<void> {
    (await this.#socket).write(`${JSON.stringify(message)}\n`);
  }

  close(): void {
    this.#server.close();
    void this.#socket.then((socket) => socket.destroy());
  }
}
