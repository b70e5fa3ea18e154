import { gzipSync } from 'node:zlib';
import {
  type Answer,
  type Body,
  bytesBody,
  type Conditions,
  correctAnswer,
  jsonAnswer,
  type ListServing,
  notModified,
  problem,
  textBody,
} from './correct-answer.ts';
import type { Exchange, Sending } from './exchange.ts';
import {
  type Behaviour,
  brokenJson,
  type FaultPlan,
  htmlPage,
  offContractBody,
  type RequestTarget,
  serverErrorBody,
} from './faults.ts';
import type { ListBody } from './list-body.ts';
import type { LineLog } from './log.ts';
import { between, pick } from './random.ts';
import type { ParsedRequest } from './request-head.ts';
import type { World } from './world.ts';

export interface BehaviourDeps {
  world: World;
  list(): ListBody;
  log: LineLog;
  plan: FaultPlan;
  serving: ListServing & { framing: 'content-length' | 'chunked' | 'mixed' };
  refuseNext(closedForMs: number): void;
}

/** Answers one request: correctly, or with the fault that the plan has for it. */
export async function answerRequest(deps: BehaviourDeps, exchange: Exchange, request: ParsedRequest): Promise<void> {
  const { head } = request;
  const target: RequestTarget | undefined =
    head.kind === 'list' ? { kind: 'list' } : head.kvnr !== undefined ? { kind: 'care', kvnr: head.kvnr } : undefined;
  const { settings } = deps.plan;
  const rejection = rejectionFor(request);
  if (rejection !== undefined || target === undefined) {
    await exchange.wait(settings.latencyMs);
    const answer = rejection ?? problem(404, 'no-such-path');
    await exchange.send(
      answer,
      { framing: 'content-length', connectionClose: request.hasBody || !request.isHttp11 },
      0,
    );
    return;
  }
  const planned = deps.plan.behaviourFor(target);
  const behaviour: Behaviour = head.followedRedirect ? { ...planned, fault: 'none' } : planned;
  if (behaviour.fault === 'refused') {
    deps.refuseNext(behaviour.details.closedForMs ?? settings.closedForMs);
    await exchange.reset('refused');
    return;
  }
  await exchange.wait(behaviour.details.latencyMs ?? settings.latencyMs);
  if (exchange.closed.aborted) return;
  await answerWith(deps, exchange, request, target, behaviour);
}

function rejectionFor({ head, hasBody }: ParsedRequest): Answer | undefined {
  if (head.authorization !== 'right') return problem(401);
  if (head.method !== 'GET') return problem(405, 'wrong-method');
  return hasBody ? problem(400, 'has-body') : undefined;
}

async function answerWith(
  deps: BehaviourDeps,
  exchange: Exchange,
  request: ParsedRequest,
  target: RequestTarget,
  behaviour: Behaviour,
): Promise<void> {
  const { fault, details, random } = behaviour;
  const { settings } = deps.plan;
  const conditions: Conditions = {
    ...request.head,
    gzip: request.allowsGzip && (details.gzip ?? random() < 0.5),
  };
  const framing = framingOf(deps, behaviour);
  const slowMs = details.slowMs ?? (random() < settings.slowShare && fault === 'none' ? settings.slowMs : undefined);
  const sending: Sending = { framing, connectionClose: details.connectionClose ?? random() < 0.05 };
  const send = (answer: Answer, more: Partial<Sending> = {}): Promise<boolean> =>
    exchange.send(answer, { ...sending, ...more }, settings.holdMs);
  const right = (asked: Conditions = conditions): Promise<Answer> =>
    correctAnswer(deps.world, deps.list(), deps.serving, target, asked);
  /** The right answer with a body, for a fault to happen in it. */
  const withBody = async (gzip: boolean): Promise<Answer> => {
    const { ifNoneMatch: _, ...asked } = conditions;
    return { ...(await right({ ...asked, gzip })), outcome: fault };
  };
  /** Returns a position inside the body, before its last byte. */
  const inside = (body: Body): number => {
    const size = body.sizeBytes ?? 0;
    return Math.min(details.afterBytes ?? Math.floor(size * (0.02 + 0.96 * random())), Math.max(0, size - 1));
  };
  const json = (text: string): Answer => ({ ...jsonAnswer(Buffer.from(text), conditions.gzip), outcome: fault });

  switch (fault) {
    case 'none':
      await send(await right(), slowMs === undefined ? {} : { slowMs });
      return;
    case 'refused':
    case 'reset-before-headers':
      return exchange.reset(fault);
    case 'hang':
      return exchange.hold(fault, settings.holdMs);
    case 'reset-in-body':
    case 'stalled': {
      const answer = await withBody(false);
      await send(answer, { stop: { afterBytes: inside(answer.body), ending: fault === 'stalled' ? 'hold' : 'reset' } });
      return;
    }
    case 'cut-short': {
      const answer = await withBody(false);
      await send(answer, { framing: 'content-length', stop: { afterBytes: inside(answer.body), ending: 'fin' } });
      return;
    }
    case 'chunked-without-end': {
      const answer = await withBody(false);
      const isJsonComplete = details.afterBytes === undefined && random() < 0.3;
      const afterBytes = isJsonComplete ? (answer.body.sizeBytes ?? 0) : inside(answer.body);
      await send(answer, { framing: 'chunked', stop: { afterBytes, ending: 'fin' } });
      return;
    }
    case 'server-error': {
      const status = details.status ?? pick(random, [500, 502, 503, 504]);
      const { contentType, text } = serverErrorBody(random, status);
      await send({ outcome: fault, status, headers: { 'Content-Type': contentType }, body: textBody(text) });
      return;
    }
    case 'busy': {
      const seconds = details.retryAfterSeconds ?? settings.retryAfterSeconds;
      const isDate = (details.retryAfterForm ?? (random() < 0.5 ? 'seconds' : 'date')) === 'date';
      const status = details.status ?? pick(random, [429, 503]);
      const untilMs = isDate ? Math.ceil((Date.now() + seconds * 1000) / 1000) * 1000 : Date.now() + seconds * 1000;
      const headers = {
        'Retry-After': isDate ? new Date(untilMs).toUTCString() : String(seconds),
        'Content-Type': 'text/plain',
      };
      if (await send({ outcome: fault, status, headers, body: textBody('busy') })) deps.log.recordRetryAfter(untilMs);
      return;
    }
    case 'html-page':
      await send({ outcome: fault, status: 200, headers: { 'Content-Type': 'text/html' }, body: textBody(htmlPage) });
      return;
    case 'broken-json': {
      if (target.kind === 'list') {
        const answer = await withBody(false);
        const size = answer.body.sizeBytes ?? 0;
        const keep = Math.min(details.afterBytes ?? Math.floor(size * random()), Math.max(0, size - 3)); // without the closing bracket
        await send({ ...answer, body: truncatedBody(answer.body, keep, random() < 0.5 ? '' : '<html>502</html>') });
        return;
      }
      const whole = Buffer.from(deps.world.careRecords(target.kvnr ?? '') ?? '{"title":"unknown"}');
      await send({ ...jsonAnswer(brokenJson(random, whole), conditions.gzip), outcome: fault });
      return;
    }
    case 'off-contract':
      await send(json(offContractBody(random, target)));
      return;
    case 'wrong-patient':
      await send(json(deps.world.careRecords(deps.world.otherKvnr(target.kvnr ?? '')) ?? '{}'));
      return;
    case 'redirect': {
      const status = details.status ?? pick(random, [301, 302, 307, 308]);
      const location = `${request.head.path}?redirected=${exchange.entry.number}`;
      await send({ outcome: fault, status, headers: { Location: location }, body: textBody('') });
      return;
    }
    case 'truncated-gzip': {
      const answer = await withBody(false);
      if (!request.allowsGzip || target.kind === 'list') {
        await send(answer, { framing: 'content-length', stop: { afterBytes: inside(answer.body), ending: 'fin' } });
        return;
      }
      const zipped = gzipSync(Buffer.from(deps.world.careRecords(target.kvnr ?? '') ?? '{}'));
      const part = zipped.subarray(0, Math.max(1, zipped.length - between(random, 1, Math.floor(zipped.length / 2))));
      await send({
        ...answer,
        status: 200,
        headers: { ...answer.headers, 'Content-Encoding': 'gzip' },
        body: bytesBody(part),
      });
      return;
    }
    case 'unauthorized':
      await send(problem(401));
      return;
    case 'forbidden':
      await send(problem(403));
      return;
    case 'not-insured':
      await send(problem(410));
      return;
    case 'unknown':
      await send(problem(404));
      return;
    case 'too-large':
      await send({
        outcome: fault,
        status: 200,
        headers: { 'Content-Type': 'application/json' },
        body: paddedBody(target, details.sizeBytes ?? 80 * 1024 * 1024),
      });
      return;
    case 'unasked-304':
      await send({ ...notModified('"unasked"'), outcome: fault });
      return;
    case 'unasked-206':
    case 'wrong-range':
      await send(await rangeOff(await withBody(false)));
      return;
    case 'trailing-bytes':
      await send(
        { ...(await right()), outcome: fault },
        { trailing: Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}') },
      );
      return;
  }
}

function framingOf({ serving }: BehaviourDeps, { details, random }: Behaviour): 'content-length' | 'chunked' {
  const drawn = random() < 0.5 ? 'content-length' : 'chunked';
  return details.framing ?? (serving.framing === 'mixed' ? drawn : serving.framing);
}

/** Returns the first bytes of a body, followed by other bytes, as a complete body. */
function truncatedBody(body: Body, keepBytes: number, ending: string): Body {
  return {
    sizeBytes: keepBytes + Buffer.byteLength(ending),
    async *chunks() {
      let left = keepBytes;
      for await (const chunk of body.chunks()) {
        if (left <= 0) break;
        yield chunk.subarray(0, left);
        left -= Math.min(left, chunk.length);
      }
      if (ending !== '') yield Buffer.from(ending);
    },
  };
}

/** Returns a body of valid JSON of any size, which is generated while it is sent. */
function paddedBody({ kvnr }: RequestTarget, sizeBytes: number): Body {
  const opening = kvnr === undefined ? '[{"padding":"' : `{"kvnr":"${kvnr}","careRecords":[],"padding":"`;
  const closing = kvnr === undefined ? '"}]' : '"}';
  return {
    sizeBytes,
    *chunks() {
      yield Buffer.from(opening);
      const padding = Buffer.alloc(64 * 1024, 'x');
      let left = sizeBytes - opening.length - closing.length;
      for (; left > 0; left -= padding.length) yield padding.subarray(0, left);
      yield Buffer.from(closing);
    },
  };
}

/** Returns a 206 that was not requested: with everything, or starting one byte late. Content-Range is true. */
async function rangeOff(answer: Answer): Promise<Answer> {
  const size = answer.body.sizeBytes ?? 0;
  const [, from = '0', total = String(size)] = answer.headers['Content-Range']?.match(/bytes (\d+)-\d+\/(\d+)/) ?? [];
  if (answer.status !== 206) {
    return { ...answer, status: 206, headers: { ...answer.headers, 'Content-Range': `bytes 0-${size - 1}/${size}` } };
  }
  const headers = { ...answer.headers, 'Content-Range': `bytes ${Number(from) + 1}-${Number(total) - 1}/${total}` };
  return { ...answer, headers, body: { sizeBytes: size - 1, chunks: () => withoutFirstByte(answer.body) } };
}

async function* withoutFirstByte(body: Body): AsyncGenerator<Buffer> {
  let isFirst = true;
  for await (const chunk of body.chunks()) {
    yield isFirst ? chunk.subarray(1) : chunk;
    isFirst = false;
  }
}
