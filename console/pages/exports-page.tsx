import { useRef } from 'react';
import { exportFilesHours, isExportInProgress } from '../../core/domain/export.ts';
import { useExportCommand, useExports } from '../api/queries.ts';
import type { Export } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { Notice, Problem, StaleNotice } from '../components/notice.tsx';
import { ProgressBar } from '../components/progress-bar.tsx';
import { ConfirmDialog } from '../components/reason-dialog.tsx';
import { useLocale } from '../messages/locale.tsx';
import { hrefOf } from '../route.ts';
import { ExportFiles } from './export-files.tsx';

interface ExportsPageProps {
  readonly exportId: string | undefined;
  /** Whether the user may start exports, and get the files of their own ones. */
  readonly mayStart: boolean;
}

export const ExportsPage = ({ exportId, mayStart }: ExportsPageProps) =>
  exportId === undefined ? <Exports mayStart={mayStart} /> : <ExportFiles key={exportId} exportId={exportId} />;

/** Lists the exports, newest first. Only the newest one can be in progress. */
function Exports({ mayStart }: { readonly mayStart: boolean }) {
  const { t, formats } = useLocale();
  const query = useExports();
  const command = useExportCommand();
  const title = useRef<HTMLHeadingElement>(null);
  const exports = query.data;
  const changed = exports?.find(({ exportId }) => exportId === command.data?.exportId);
  return (
    <section className="card" aria-labelledby="exports-title">
      <div className="card-head">
        <h1 id="exports-title" ref={title} tabIndex={-1}>
          {t.exports.title}
        </h1>
        {mayStart && (
          <ConfirmDialog
            trigger={
              <Button kind="primary" isPending={command.isPending && command.variables.command === 'start'}>
                {t.exports.start}
              </Button>
            }
            title={t.exports.startTitle}
            text={t.exports.startText(formats.count(exportFilesHours))}
            confirm={t.exports.start}
            onConfirm={() => command.mutate({ command: 'start' })}
          />
        )}
      </div>
      <p className="hint">{t.exports.lead}</p>
      <Problem error={command.error} />
      {command.isSuccess && changed?.state === command.data.state && (
        <Notice kind="good">{t.exports.done[command.variables.command]}</Notice>
      )}
      <StaleNotice of={[query]} />
      {query.isPending && <p>{t.loading}</p>}
      {exports?.length === 0 && <p>{t.exports.none}</p>}
      {exports !== undefined && exports.length > 0 && (
        <table className="grid stacking">
          <thead>
            <tr>
              <th scope="col">{t.run.startedAt}</th>
              <th scope="col">{t.runs.state}</th>
              <th scope="col">{t.run.patients}</th>
              <th scope="col">{t.exports.resources}</th>
              <th scope="col">{t.exports.files}</th>
            </tr>
          </thead>
          <tbody>
            {exports.map((each) => (
              <tr key={each.exportId}>
                <th scope="row">
                  <time dateTime={each.transactionTime}>{formats.moment(each.transactionTime)}</time>
                  <small className="block">
                    <bdi>{each.requestedBy}</bdi>
                  </small>
                </th>
                <td data-name={t.runs.state} className="bar-cell">
                  <ExportState of={each} />
                </td>
                <td data-name={t.run.patients}>
                  {formats.count(each.patients)}
                  {each.skipped > 0 && (
                    <small className="block">{t.exports.skipped(formats.count(each.skipped))}</small>
                  )}
                </td>
                <td data-name={t.exports.resources} className="nowrap">
                  {Object.entries(each.counts).map(([type, count]) => (
                    <span key={type} className="block">
                      {formats.count(count)} {type}
                    </span>
                  ))}
                </td>
                <td data-name={t.exports.files}>
                  <ExportActions
                    of={each}
                    mayRead={mayStart}
                    isPending={command.isPending && command.variables.exportId === each.exportId}
                    onCommand={(name) =>
                      command.mutate(
                        { command: name, exportId: each.exportId },
                        // the button that has the focus may disappear
                        { ...(name === 'cancel' && { onSuccess: () => title.current?.focus() }) },
                      )
                    }
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function ExportState({ of }: { readonly of: Export }) {
  const { t, formats } = useLocale();
  const { state, percent, failure, finishedAt, changed } = of;
  const shown = state === 'cancelled' && percent === 100 ? 'expired' : state; // somebody has deleted the files
  return (
    <>
      <span className={`badge ${shown}`}>{t.exports.states[shown]}</span>
      {isExportInProgress(of) && (
        <>
          <ProgressBar label={t.exports.progress} percent={percent} />
          {formats.percent(percent / 100)}
        </>
      )}
      {failure !== undefined && <small className="block">{t.exports.failures[failure]}</small>}
      {changed && (
        <small className="block">
          {t.exports.changed} <bdi>{changed.by}</bdi>, <time dateTime={changed.at}>{formats.moment(changed.at)}</time>
        </small>
      )}
      {finishedAt !== undefined && (
        <small className="block">
          {t.run.finishedAt} <time dateTime={finishedAt}>{formats.moment(finishedAt)}</time>
        </small>
      )}
    </>
  );
}

interface ExportActionsProps {
  readonly of: Export;
  readonly mayRead: boolean;
  readonly isPending: boolean;
  onCommand(command: 'pause' | 'resume' | 'cancel'): void;
}

/** What can be done with an export: it goes on or ends, or its files are read or deleted. */
function ExportActions({ of, mayRead, isPending, onCommand }: ExportActionsProps) {
  const { t, formats } = useLocale();
  const { exportId, state, transactionTime, filesExpireAt } = of;
  const isInProgress = isExportInProgress(of);
  if (!isInProgress && state !== 'completed') return t.none;
  const end = isInProgress
    ? { title: t.exports.cancelTitle, text: t.exports.cancelText, confirm: t.exports.cancel }
    : { title: t.exports.deleteTitle, text: t.exports.deleteText, confirm: t.exports.deleteFiles };
  const command = state === 'paused' ? 'resume' : 'pause';
  const spokenTime = <span className="visually-hidden">: {formats.moment(transactionTime)}</span>;
  return (
    <>
      {mayRead && state === 'completed' && (
        <a href={hrefOf('exports', exportId)}>
          {t.exports.show}
          {spokenTime}
        </a>
      )}
      {filesExpireAt !== undefined && <small className="block">{t.exports.until(formats.moment(filesExpireAt))}</small>}
      <div className="actions">
        {isInProgress && (
          <Button isPending={isPending} onPress={() => onCommand(command)}>
            {t.exports[command]}
          </Button>
        )}
        <ConfirmDialog
          key={end.confirm} // a dialog that asks something else is closed
          trigger={
            <Button kind="quiet" isPending={isPending}>
              {end.confirm}
              {spokenTime}
            </Button>
          }
          {...end}
          isDangerous
          onConfirm={() => onCommand('cancel')}
        />
      </div>
    </>
  );
}
