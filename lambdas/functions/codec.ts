import { serve } from '../http/serve.ts';
import { decodePayloads } from '../operations/decode-payloads.ts';

export const handler = serve('codec', { decodePayloads });
