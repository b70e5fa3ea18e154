import { useMutation } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { type DocumentContent, sentDocument } from '../../core/contract/document-content.ts';
import { decodeContent } from '../../core/domain/document-content.ts';
import { fileNameOf } from '../../core/domain/file-headers.ts';
import type { Link } from '../api/client.ts';
import { Button } from '../components/button.tsx';
import { contentOf } from '../components/documents.ts';
import { isShown, kindOf, plainType } from '../components/file-kind.ts';
import { type InsurerData, objectOf, takeTexts } from '../components/insurer-data.ts';
import { Notice, Problem } from '../components/notice.tsx';
import { saveFile } from '../components/save-file.ts';
import { useLocale } from '../messages/locale.tsx';
import { OtherFields } from './other-fields.tsx';

export class DocumentMismatch extends Error {
  override readonly name = 'DocumentMismatch';
}

/** Reads what is behind a link. @throws ApiError; DocumentMismatch if its hash is not the link's */
export type ReadLink = (link: Link) => Promise<Uint8Array<ArrayBuffer>>;

/** Shows a document of a care record: what the insurer says of it, to look at if a browser can show it, and to save. */
export function PatientDocument({ document, read }: { readonly document: InsurerData; readonly read: ReadLink }) {
  const { t, formats } = useLocale();
  const sent = sentDocument(document);
  const { contentBase64, ...rest } = sent;
  const { texts, others } = takeTexts(typeof contentBase64 === 'string' ? rest : sent, ['id', 'title', 'mediaType']);
  const name = texts.title ?? texts.id ?? '';
  const content = contentOf(document);
  const open = useMutation({
    mutationFn: async ({ content, use }: { readonly content: Content; readonly use: 'show' | 'save' }) => {
      const { bytes, isDecoded } = await fileOf(content, read);
      const { found, isOther } = isDecoded ? kindOf(bytes, texts.mediaType) : { found: undefined, isOther: false };
      if (use === 'save') {
        // a neutral type keeps the browser from opening the file as a page: the insurer sets the media type
        const file = new Blob([bytes], { type: 'application/octet-stream' });
        saveFile(fileNameOf(name, isDecoded ? texts.mediaType : 'text/plain'), file);
      }
      const preview = use === 'show' && isShown(found) ? new Blob([bytes], { type: found }) : undefined;
      return { isDecoded, found, isOther, preview };
    },
    gcTime: 0,
  });
  const size = typeof content === 'object' ? formats.bytes(content.sizeBytes) : undefined;
  const isAsSent = typeof content === 'object' && content.as === 'sent';
  const facts = [texts.mediaType, size !== undefined && isAsSent ? t.patient.textAsSent(size) : size];
  const { data } = open;
  const isPending = (use: 'show' | 'save') => open.isPending && open.variables.use === use;
  const spokenName = (
    <span className="visually-hidden">
      : <bdi>{name}</bdi>
    </span>
  );
  return (
    <li>
      <span>
        <bdi>{name}</bdi> <small>{facts.filter((fact) => fact !== undefined).join(' · ')}</small>
      </span>
      {content === undefined ? (
        // a document of a linked record is empty as long as its link is on a page that is not loaded
        <small>{contentBase64 === '' ? t.patient.documentLater : t.patient.documentEmpty}</small>
      ) : (
        <span className="actions">
          {data?.preview ? (
            <Button kind="plain" onPress={open.reset}>
              {t.patient.hide}
              {spokenName}
            </Button>
          ) : (
            isShown(plainType(texts.mediaType)) && (
              <Button kind="plain" isPending={isPending('show')} onPress={() => open.mutate({ content, use: 'show' })}>
                {t.patient.show}
                {spokenName}
              </Button>
            )
          )}
          <Button kind="plain" isPending={isPending('save')} onPress={() => open.mutate({ content, use: 'save' })}>
            {t.patient.download}
            {spokenName}
          </Button>
        </span>
      )}
      {isAsSent && data === undefined && <small className="block">{t.patient.textAsSentHint}</small>}
      {data?.isDecoded === false && <Notice kind="warning">{t.patient.documentNotBase64}</Notice>}
      {data?.isOther && (
        <Notice kind="warning">{t.patient.documentOtherType(texts.mediaType ?? '', data.found)}</Notice>
      )}
      {data?.preview && <Preview file={data.preview} name={name} />}
      {open.error instanceof DocumentMismatch ? (
        <Notice kind="error">{t.patient.documentMismatch}</Notice>
      ) : (
        <Problem error={open.error} />
      )}
      <OtherFields of={objectOf(others)} />
    </li>
  );
}

type Content = (Link & DocumentContent) | string;

/** Reads a document's file. If its text is no base64, that is the file. */
async function fileOf(content: Content, read: ReadLink) {
  if (typeof content === 'object' && content.as !== 'sent') return { bytes: await read(content), isDecoded: true };
  const sent = typeof content === 'string' ? new TextEncoder().encode(content) : await read(content);
  const bytes = decodeContent(new TextDecoder().decode(sent));
  return { bytes: bytes ?? sent, isDecoded: bytes !== undefined };
}

/**
 * Shows a PDF or a picture. Its type is what its bytes are, so that the browser runs nothing in it: it decodes a picture, and its own
 * viewer of PDFs is apart from the page. Chromium shows no PDF in a frame with the attribute `sandbox` (ADR 0072).
 */
function Preview({ file, name }: { readonly file: Blob; readonly name: string }) {
  const { t } = useLocale();
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const created = URL.createObjectURL(file);
    setUrl(created);
    return () => URL.revokeObjectURL(created);
  }, [file]);
  if (url === undefined) return null;
  if (file.type === 'application/pdf')
    return <iframe className="preview" src={url} title={t.patient.previewOf(name)} />;
  return <img className="preview" src={url} alt={t.patient.previewOf(name)} />;
}
