import { serve } from '../http/serve.ts';
import { pauseLine } from '../operations/pause-line.ts';
import { readLine } from '../operations/read-line.ts';
import { resumeLine } from '../operations/resume-line.ts';

export const handler = serve('line', { readLine, pauseLine, resumeLine });
