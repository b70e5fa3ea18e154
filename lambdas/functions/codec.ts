import { decodePayloads } from '../decode-payloads.ts';
import { serve } from '../serve.ts';

export const handler = serve('codec', { decodePayloads });
