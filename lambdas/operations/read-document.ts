import { emulatorOriginOf } from '../http/api-url.ts';
import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

/** Short, because the browser follows the redirect immediately. */
const lifetimeSeconds = 60;

export const readDocument: Handler<'readDocument'> = async ({ link, apiUrl }, { stores }) => {
  const location = link && (await stores.documents.linkTo(link.content, lifetimeSeconds, emulatorOriginOf(apiUrl)));
  if (location === undefined) throw new Problem('document-unknown');
  return { location };
};
