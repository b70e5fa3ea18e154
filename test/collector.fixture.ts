import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A span as received over OTLP/HTTP in JSON. */
export interface SentSpan {
  readonly service: string;
  /** header `Authorization` of the exporter */
  readonly authorization: string | undefined;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly { readonly key: string; readonly value: unknown }[];
  readonly events?: readonly unknown[];
}

interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue?: string } }[] };
    readonly scopeSpans: readonly { readonly spans: readonly Omit<SentSpan, 'service' | 'authorization'>[] }[];
  }[];
}

export interface Collector extends AsyncDisposable {
  readonly endpoint: string;
  readonly spans: readonly SentSpan[];
  /** all request bodies, unchanged */
  readonly bodies: readonly string[];
}

/** Starts an OpenTelemetry collector that only accepts traces. */
export async function startCollector(): Promise<Collector> {
  const spans: SentSpan[] = [];
  const bodies: string[] = [];
  const take = (body: string, { url = '', headers: { authorization } }: IncomingMessage): void => {
    bodies.push(body);
    if (url === '/v1/traces')
      for (const { resource, scopeSpans } of (JSON.parse(body) as Sent).resourceSpans) {
        const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        for (const scope of scopeSpans) spans.push(...scope.spans.map((span) => ({ service, authorization, ...span })));
      }
  };
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      take(body, request);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    bodies,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
