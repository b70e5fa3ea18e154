import { pauseLine } from '../pause-line.ts';
import { readLine } from '../read-line.ts';
import { resumeLine } from '../resume-line.ts';
import { serve } from '../serve.ts';

export const handler = serve('line', { readLine, pauseLine, resumeLine });
