import { useMutation } from '@tanstack/react-query';
import { type RefObject, useRef, useState } from 'react';
import { FieldError, Form, Input, Label, Text, TextField } from 'react-aria-components';
import { type ReportFormat, reportFormats } from '../../core/domain/access-texts.ts';
import { useConnection } from '../api/context.ts';
import { type AccessLogFilter, useAccessLog, useVerify } from '../api/queries.ts';
import type { AccessEntry, AccessReport } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { fetchBundle } from '../components/fhir-bundle.ts';
import { KvnrForm } from '../components/kvnr-form.tsx';
import { LoadMore } from '../components/load-more.tsx';
import { Notice, Problem, StaleNotice } from '../components/notice.tsx';
import { saveFile } from '../components/save-file.ts';
import { useLocale } from '../messages/locale.tsx';
import { navigateTo } from '../route.ts';
import { LogCheck } from './log-check.tsx';

export const LogPage = ({ patientRef }: { readonly patientRef: string | undefined }) =>
  patientRef === undefined ? <FindAccessLog /> : <AccessLog key={patientRef} patientRef={patientRef} />;

/** The first digits of a pseudonym tell the logs of one person apart. */
const refDigitsShown = 8;

const isPatientRef = (text: string): boolean => /^[0-9a-f]{32}$/.test(text);

function FindAccessLog() {
  const { t } = useLocale();
  return (
    <>
      <section className="card" aria-labelledby="log-title">
        <h1 id="log-title">{t.log.title}</h1>
        <p className="hint">{t.log.lead}</p>
        <KvnrForm onFound={(patientRef) => navigateTo('access-log', patientRef)} unknown={t.log.unknown} />
        <PseudonymForm />
      </section>
      <LogCheck />
    </>
  );
}

function PseudonymForm() {
  const { t } = useLocale();
  const [ref, setRef] = useState('');
  const isWrong = ref !== '' && (!/^[0-9a-f]*$/.test(ref) || ref.length > 32);
  return (
    <Form
      className="find-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (isPatientRef(ref)) navigateTo('access-log', ref);
      }}
    >
      <TextField
        className="field"
        value={ref}
        onChange={(text) => setRef(text.trim().toLowerCase())}
        isInvalid={isWrong}
        autoComplete="off"
        spellCheck="false"
      >
        <Label>{t.log.ref}</Label>
        <Input className="code" />
        <FieldError>{t.log.refWrong}</FieldError>
        <Text slot="description">{t.log.refHint}</Text>
      </TextField>
      <Button type="submit" isDisabled={!isPatientRef(ref)}>
        {t.log.show}
      </Button>
    </Form>
  );
}

function AccessLog({ patientRef }: { readonly patientRef: string }) {
  const { t } = useLocale();
  const [filter, setFilter] = useState<AccessLogFilter>({});
  const [who, setWho] = useState('');
  const whoField = useRef<HTMLInputElement>(null);
  const query = useAccessLog(patientRef, filter);
  const entries = query.data?.pages.flatMap((page) => page.entries);
  const patientRefs = query.data?.pages[0]?.patientRefs ?? [patientRef];
  const chooseWho = (chosen: string) => {
    setWho(chosen);
    setFilter({ ...filter, who: chosen });
    whoField.current?.focus(); // the row with this button may disappear
  };
  return (
    <>
      <section className="card" aria-labelledby="log-title">
        <div className="card-head">
          <h1 id="log-title">{t.log.title}</h1>
          <Button kind="quiet" onPress={() => navigateTo('access-log')}>
            {t.log.another}
          </Button>
        </div>
        <Pseudonyms patientRefs={patientRefs} />
        <Verification patientRef={patientRef} />
      </section>
      <section className="card" aria-label={t.log.entries}>
        <Filters who={who} whoField={whoField} onWho={setWho} onFilter={setFilter} />
        <p className="hint">{t.log.newestFirst}</p>
        <StaleNotice of={[query]} />
        {query.isPending && <p>{t.loading}</p>}
        {entries?.length === 0 && <p role="status">{query.hasNextPage ? t.log.noMatchYet : t.log.none}</p>}
        {entries !== undefined && entries.length > 0 && (
          <Entries entries={entries} isOfSeveral={patientRefs.length > 1} onWho={chooseWho} />
        )}
        <LoadMore of={query} />
      </section>
    </>
  );
}

/** Names the patient, and the same person under other KVNRs. */
function Pseudonyms({ patientRefs: [patientRef, ...others] }: { readonly patientRefs: readonly string[] }) {
  const { t } = useLocale();
  if (others.length === 0)
    return (
      <p>
        <span className="hint">{t.patient.ref}</span> <code>{patientRef}</code>
      </p>
    );
  return (
    <>
      <p>{t.log.several}</p>
      <ul>
        <li>
          <code>{patientRef}</code> <span className="hint">({t.log.asked})</span>
        </li>
        {others.map((ref) => (
          <li key={ref}>
            <code>{ref}</code>
          </li>
        ))}
      </ul>
    </>
  );
}

function Verification({ patientRef }: { readonly patientRef: string }) {
  const { t, formats, language } = useLocale();
  const { api } = useConnection();
  const verify = useVerify(patientRef);
  const save = useMutation({
    mutationFn: async () => {
      const bundle = await fetchBundle(api, patientRef);
      saveFile(`access-log-${patientRef}.json`, new Blob([bundle], { type: 'application/fhir+json' }));
    },
  });
  const report = useMutation({
    mutationFn: async (format: ReportFormat) => {
      const path = `/patients/${patientRef}/access-log/report`;
      const { href, fileName, mediaType } = await api.post<AccessReport>(path, { language, format });
      saveFile(fileName, new Blob([await api.fetchFile(href)], { type: mediaType }));
    },
  });
  return (
    <>
      <div className="actions">
        <Button kind="primary" isPending={verify.isPending} onPress={() => verify.mutate()}>
          {t.log.verify}
        </Button>
        <Button isPending={save.isPending} onPress={() => save.mutate()}>
          {t.log.fhir}
        </Button>
        {reportFormats.map((format) => (
          <Button
            key={format}
            isPending={report.isPending && report.variables === format}
            onPress={() => report.mutate(format)}
          >
            {t.log.report[format]}
          </Button>
        ))}
      </div>
      <p className="hint">{t.log.reportHint}</p>
      {verify.isPending && <p role="status">{t.log.verifying}</p>}
      {verify.data?.logs.map(({ patientRef: ref, ...found }, _, { length }) => (
        <Notice key={ref} kind={found.valid ? 'good' : 'error'}>
          {length > 1 && <span className="block code">{t.log.of(ref)}</span>}
          {found.valid ? (
            t.log.valid(formats.count(found.entries), found.entries)
          ) : (
            <strong>
              {t.log.invalid} {t.log.problems[found.problem ?? 'changed'](formats.count(found.firstBrokenSeq ?? 1))}
            </strong>
          )}
          {found.unanchored > 0 && (
            <small className="block">
              {t.log.unanchored(
                formats.count(found.unanchored),
                found.unanchored,
                formats.duration(found.oldestUnanchoredSeconds ?? 0),
              )}
            </small>
          )}
        </Notice>
      ))}
      <Problem error={verify.error ?? save.error ?? report.error} />
    </>
  );
}

interface FiltersProps {
  /** The ID to filter by, as typed so far or chosen in a row. */
  readonly who: string;
  readonly whoField: RefObject<HTMLInputElement | null>;
  onWho(who: string): void;
  onFilter(filter: AccessLogFilter): void;
}

function Filters({ who, whoField, onWho, onFilter }: FiltersProps) {
  const { t } = useLocale();
  const [from, setFrom] = useState('');
  return (
    <form
      className="filters"
      onSubmit={(event) => {
        event.preventDefault();
        onFilter(readFilter(new FormData(event.currentTarget)));
      }}
      onReset={() => {
        onWho('');
        setFrom('');
        onFilter({});
      }}
    >
      <label className="field">
        {t.log.who}
        <input
          ref={whoField}
          name="who"
          value={who}
          onChange={({ target }) => onWho(target.value)}
          maxLength={200}
          autoComplete="off"
        />
      </label>
      <label className="field">
        {t.log.role}
        <select name="role">
          <option value="">{t.log.all}</option>
          {Object.entries(t.roles).map(([role, name]) => (
            <option key={role} value={role}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label className="field">
        {t.log.action}
        <select name="operation">
          <option value="">{t.log.all}</option>
          {Object.entries(t.log.actions).map(([action, name]) => (
            <option key={action} value={action}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label className="field">
        {t.log.from}
        <input name="from" type="datetime-local" onChange={({ target }) => setFrom(target.value)} />
      </label>
      <label className="field">
        {t.log.to}
        <input name="to" type="datetime-local" min={from} />
      </label>
      <div className="actions">
        <Button type="submit">{t.log.apply}</Button>
        <Button kind="quiet" type="reset">
          {t.log.clear}
        </Button>
      </div>
    </form>
  );
}

/** Returns the filled fields, with local times converted to UTC. The API excludes entries at `to` itself. */
function readFilter(form: FormData): AccessLogFilter {
  const filled = [...form.entries()].flatMap(([name, value]) =>
    typeof value === 'string' && value.trim() !== '' ? [[name, value.trim()] as const] : [],
  );
  const minuteMs = 60_000; // the field has minutes, and the minute of `to` is included
  const convert = (name: string, text: string): string => {
    if (name !== 'from' && name !== 'to') return text;
    return new Date(Date.parse(text) + (name === 'to' ? minuteMs : 0)).toISOString();
  };
  return Object.fromEntries(filled.map(([name, text]) => [name, convert(name, text)])) as AccessLogFilter;
}

interface EntriesProps {
  readonly entries: readonly AccessEntry[];
  /** The entries come from several logs, so each says from which. */
  readonly isOfSeveral: boolean;
  /** Called with the ID of the person whose entries are to be shown. */
  onWho(who: string): void;
}

function Entries({ entries, isOfSeveral, onWho }: EntriesProps) {
  const { t, formats } = useLocale();
  return (
    <table className="grid stacking">
      <thead>
        <tr>
          <th scope="col">{t.log.number}</th>
          {isOfSeveral && <th scope="col">{t.patient.ref}</th>}
          <th scope="col">{t.log.when}</th>
          <th scope="col">{t.log.who}</th>
          <th scope="col">{t.log.action}</th>
          <th scope="col">{t.log.outcome}</th>
          <th scope="col">{t.log.details}</th>
        </tr>
      </thead>
      <tbody>
        {entries.map(({ patientRef, seq, recorded, agent, operation, outcome, source, entity, hash, ...links }) => (
          <tr key={`${patientRef}-${seq}`}>
            <th scope="row">{formats.count(seq)}</th>
            {isOfSeveral && (
              <td data-name={t.patient.ref} className="code nowrap" title={patientRef}>
                {patientRef.slice(0, refDigitsShown)}…
              </td>
            )}
            <td data-name={t.log.when}>
              <time dateTime={recorded}>{formats.dateTime(recorded)}</time>
            </td>
            <td data-name={t.log.who}>
              <button
                type="button"
                className="link"
                aria-label={t.log.onlyWho(agent.name ?? agent.who)}
                onClick={() => onWho(agent.who)}
              >
                <bdi>{agent.name ?? agent.who}</bdi>
              </button>
              <small className="block">
                {t.roles[agent.role]}
                {agent.name !== undefined && (
                  <>
                    {' · '}
                    <bdi>{agent.who}</bdi>
                  </>
                )}
              </small>
            </td>
            <td data-name={t.log.action}>{t.log.actions[operation]}</td>
            <td data-name={t.log.outcome}>
              <span className={`badge ${outcome}`}>{t.log.outcomes[outcome]}</span>
            </td>
            <td data-name={t.log.details}>
              <details>
                <summary>{t.log.details}</summary>
                <dl className="code">
                  {entity && (
                    <>
                      <dt>{t.log.entity}</dt>
                      <dd>
                        {t.log.entities[entity.kind]} {entity.id}
                      </dd>
                    </>
                  )}
                  {source.address !== undefined && (
                    <>
                      <dt>{t.log.address}</dt>
                      <dd>{source.address}</dd>
                    </>
                  )}
                  {source.correlationId !== undefined && (
                    <>
                      <dt>{t.log.correlation}</dt>
                      <dd>{source.correlationId}</dd>
                    </>
                  )}
                  {links.previousPatientRef !== undefined && (
                    <>
                      <dt>{t.log.previous}</dt>
                      <dd>{links.previousPatientRef}</dd>
                    </>
                  )}
                  {links.nextPatientRef !== undefined && (
                    <>
                      <dt>{t.log.following}</dt>
                      <dd>{links.nextPatientRef}</dd>
                    </>
                  )}
                  {isOfSeveral && (
                    <>
                      <dt>{t.patient.ref}</dt>
                      <dd>{patientRef}</dd>
                    </>
                  )}
                  <dt>{t.log.hash}</dt>
                  <dd>{hash}</dd>
                </dl>
              </details>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
