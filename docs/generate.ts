// `npm run docs`: writes the pages that are generated from the code.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationPage } from './configuration-page.ts';

writeFileSync(join(import.meta.dirname, 'reference', 'configuration.md'), configurationPage());
