import type { Clients } from '../../clients.ts';
import { decryptDocumentLink } from '../document-link.ts';
import { Problem } from '../problems.ts';
import { operationOf } from './operation-search.ts';
import { headerOf, type Middleware, type RequestFacts } from './request.ts';

/** Limit of API Gateway for the request line and all headers together. Tokens of Entra ID come near to it. */
const headersMaxBytes = 10_240;

const opaqueToken =
  'The token is not a signed JWT. Some issuers give opaque access tokens, which this API cannot check: Google always, Auth0 without an audience.';

/** Identifies the caller by the bearer token, or by a link that was issued to one reader. Runs for every operation. */
export function authentication(clients: () => Promise<Clients>): Middleware {
  return {
    before: async ({ event, context: { facts } }) => {
      const { roles, group } = operationOf(facts);
      if (roles === 'anyone') return;
      if (roles === 'link') return await readLink(await clients(), event.pathParameters?.['token'] ?? '', facts);
      const [, token = ''] = /^Bearer +([\w.~+/=-]+)$/i.exec(headerOf(event, 'authorization') ?? '') ?? [];
      if (token === '' || token.length > headersMaxBytes) throw new Problem('unauthenticated');
      if (!/^[^.]+\.[^.]+\.[^.]+$/.test(token)) throw new Problem('unauthenticated', { detail: opaqueToken });
      const { verifyToken, verifyCodecToken } = await clients();
      facts.actor = await (group === 'codec' ? verifyCodecToken : verifyToken)(token);
    },
  };
}

async function readLink({ tokenCipher }: Clients, token: string, facts: RequestFacts): Promise<void> {
  const keep = (link: Awaited<ReturnType<typeof decryptDocumentLink>>): void => {
    facts.link = link;
    facts.actor = link.reader;
    facts.patientRef = link.patientRef;
    facts.entity = { kind: 'document', id: link.content.sha256 };
  };
  keep(await decryptDocumentLink(tokenCipher, token, keep));
}
