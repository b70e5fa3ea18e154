import { emulatorOriginOf } from '../http/api-url.ts';
import type { DocumentLink } from '../http/document-link.ts';
import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

/** Short, because the browser follows the redirect immediately. */
const lifetimeSeconds = 60;

/** Redirects to S3, because an answer of a Lambda has 6 MB at most. S3 serves ranges, too. */
export const readDocument: Handler<'readDocument'> = async ({ link, query, apiUrl }, { stores }) => {
  if (link === undefined) throw new Problem('document-unknown');
  const { key, form } = query.as === 'sent' ? sentIn(link) : { key: link.content.key, form: link.form };
  const location = await stores.documents.linkTo({ key }, form, lifetimeSeconds, emulatorOriginOf(apiUrl));
  if (location === undefined) throw new Problem('document-unknown');
  return { location };
};

function sentIn({ content, form, sentKey }: DocumentLink): Pick<DocumentLink, 'form'> & { readonly key: string } {
  if (sentKey !== undefined) return { key: sentKey, form: 'text' };
  if (form !== 'file') return { key: content.key, form };
  throw new Problem('document-unknown', { detail: 'The text that the insurer sent is the base64 of the file.' });
}
