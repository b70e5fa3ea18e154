import { useMutation } from '@tanstack/react-query';
import { isExportInProgress, namedFiles } from '../../core/domain/export.ts';
import { ApiError } from '../api/client.ts';
import { useConnection } from '../api/context.ts';
import { useExport } from '../api/queries.ts';
import type { ExportFile } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { matchesSha256 } from '../components/documents.ts';
import { Notice, Problem, StaleNotice } from '../components/notice.tsx';
import { saveFile } from '../components/save-file.ts';
import { useLocale } from '../messages/locale.tsx';
import { hrefOf } from '../route.ts';

/** Lists the files of an export, for the caller who has started it. */
export function ExportFiles({ exportId }: { readonly exportId: string }) {
  const { t, formats } = useLocale();
  const query = useExport(exportId);
  const found = query.data;
  const files = found?.output;
  return (
    <section className="card" aria-labelledby="files-title">
      <h1 id="files-title">{t.exports.filesOf(found ? formats.moment(found.transactionTime) : exportId)}</h1>
      <p>
        <a href={hrefOf('exports')}>{t.exports.all}</a>
      </p>
      <StaleNotice of={[query]} />
      {query.isPending && <p>{t.loading}</p>}
      {found && files === undefined && (
        <Notice kind="info">
          {isExportInProgress(found)
            ? t.exports.notYet
            : found.state === 'completed' && Date.parse(found.filesExpireAt ?? '') > Date.now()
              ? t.exports.notYours
              : t.exports.noFiles}
        </Notice>
      )}
      {files?.length === 0 && <p>{t.exports.noPatients}</p>}
      {files?.[0] && (
        <p className="hint">
          {t.exports.until(formats.moment(found?.filesExpireAt ?? ''))}.{' '}
          {t.exports.links(formats.moment(files[0].expiresAt))}
        </p>
      )}
      {files !== undefined && files.length > 0 && (
        <Files files={files} readAgain={async () => (await query.refetch()).data?.output} />
      )}
    </section>
  );
}

class FileDamaged extends Error {
  override readonly name = 'FileDamaged';
}

interface FilesProps {
  readonly files: readonly ExportFile[];
  /** Returns the files with new links; undefined if they are deleted. */
  readAgain(): Promise<readonly ExportFile[] | undefined>;
}

function Files({ files, readAgain }: FilesProps) {
  const { t, formats } = useLocale();
  const { api } = useConnection();
  const save = useMutation({
    mutationFn: async ({ index, fileName }: { readonly index: number; readonly fileName: string }) => {
      const shown = files[index];
      const isValid = shown !== undefined && Date.parse(shown.expiresAt) > Date.now();
      const file = isValid ? shown : (await readAgain())?.[index]; // as after the laptop has slept
      if (file === undefined) throw new ApiError('export-ended');
      const bytes = await api.fetchFile(file.url);
      if (!(await matchesSha256(bytes, file.sha256))) throw new FileDamaged();
      saveFile(fileName, new Blob([bytes], { type: 'application/fhir+ndjson' }));
    },
    gcTime: 0,
  });
  return (
    <>
      {save.error instanceof FileDamaged ? (
        <Notice kind="error">{t.exports.damaged}</Notice>
      ) : (
        <Problem error={save.error} />
      )}
      <table className="grid stacking">
        <thead>
          <tr>
            <th scope="col">{t.exports.file}</th>
            <th scope="col">{t.exports.resources}</th>
            <th scope="col">{t.exports.size}</th>
            <th scope="col">SHA-256</th>
            <th scope="col">{t.patient.download}</th>
          </tr>
        </thead>
        <tbody>
          {namedFiles(files).map(({ type, count, sizeBytes, sha256, fileName }, index) => (
            <tr key={fileName}>
              <th scope="row">{fileName}</th>
              <td data-name={t.exports.resources}>
                {formats.count(count)} {type}
              </td>
              <td data-name={t.exports.size} className="nowrap">
                {formats.bytes(sizeBytes)}
              </td>
              <td data-name="SHA-256">
                <code>{sha256}</code>
              </td>
              <td>
                <Button
                  isPending={save.isPending && save.variables.index === index}
                  onPress={() => save.mutate({ index, fileName })}
                >
                  {t.patient.download}
                  <span className="visually-hidden">: {fileName}</span>
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
