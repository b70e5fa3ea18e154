import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createGateClient, openGate } from '../../core/stores/gate.ts';
import { connectToKeeper } from './keeper-connection.ts';

/**
 * Runs a line process that sends one request after the other whenever it may. The insurer's answer can start a cooldown
 * (Retry-After), make the line pause itself (401), or block the event loop (a body `stall <ms>`).
 */
const setting = (name: string): string => process.env[name] ?? '';
const stopping = new AbortController();
const gate = openGate(createGateClient(setting('AWS_REGION')), setting('INSURER_ID'));
const { permit, ready } = connectToKeeper({
  writeCooldown: gate.startCooldown,
  pauseGraceMs: Number(process.env['PAUSE_GRACE_MS']),
  lineMinGapMs: Number(process.env['LINE_MIN_GAP_MS']),
  onStop: () => stopping.abort(),
});
const insurer = new URL(process.env['INSURER_BASE_URL'] ?? '');
let lastSocket: Socket | undefined;
permit.guard({
  get isClosed() {
    return lastSocket === undefined || lastSocket.closed;
  },
  close: async () => {
    if (lastSocket === undefined || lastSocket.closed) return;
    lastSocket.destroy();
    await once(lastSocket, 'close');
  },
});

async function exchange(): Promise<void> {
  const socket = connect({ host: insurer.hostname, port: Number(insurer.port) });
  lastSocket = socket;
  socket.on('error', () => {}); // a reset is an expected end
  const closed = once(socket, 'close');
  await Promise.race([once(socket, 'connect'), closed]);
  if (socket.destroyed || !permit.maySend()) {
    socket.destroy();
    await closed;
    return;
  }
  let needsRest = false;
  const end = permit.begin(async () => {
    needsRest = true;
    socket.destroy();
    await closed;
  });
  socket.write(`GET /${process.env['WORKER_NAME']}/${permit.leaseNumber} HTTP/1.1\r\nHost: insurer\r\n\r\n`);
  let answer = '';
  socket.on('data', (bytes) => {
    answer += bytes.toString('latin1');
    const stallMs = /stall (\d+)/.exec(answer)?.[1];
    if (stallMs !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(stallMs));
  });
  await closed;
  const retryAfterS = /retry-after: (\d+)/i.exec(answer)?.[1];
  if (retryAfterS !== undefined) void permit.startCooldown(Number(retryAfterS) * 1_000, 'retry-after');
  if (answer.startsWith('HTTP/1.1 401')) void permit.pauseBySystem('unauthorized');
  end({ needsRest });
}

ready();
while (!stopping.signal.aborted) {
  await permit.whenMaySend(stopping.signal).catch(() => {});
  if (!stopping.signal.aborted) await exchange();
}
process.exit(0);
