import { serve } from '../http/serve.ts';
import { readChanges } from '../operations/read-changes.ts';

export const handler = serve('changes', { readChanges });
