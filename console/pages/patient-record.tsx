import { useMutation } from '@tanstack/react-query';
import { parseLossless } from '../../core/json/lossless.ts';
import { useConnection } from '../api/context.ts';
import { isProblem, usePatient } from '../api/queries.ts';
import { Button } from '../components/button.tsx';
import {
  findLink,
  isLinked,
  type LinkedRecord,
  matchesSha256,
  mergeRecords,
  withDocumentLinks,
} from '../components/documents.ts';
import { type InsurerData, objectOf, takeObjects, takeTexts, textOf } from '../components/insurer-data.ts';
import { LoadMore } from '../components/load-more.tsx';
import { Notice, Problem, StaleNotice } from '../components/notice.tsx';
import { Pseudonym } from '../components/pseudonym.tsx';
import { useLocale } from '../messages/locale.tsx';
import { navigateTo } from '../route.ts';
import { OtherFields } from './other-fields.tsx';
import { DocumentMismatch, PatientDocument, type ReadLink } from './patient-document.tsx';
import { SyncPanel } from './sync-panel.tsx';

export function PatientRecord({ patientRef }: { readonly patientRef: string }) {
  const { t } = useLocale();
  const query = usePatient(patientRef);
  const patient = query.data?.pages[0]?.patient;
  const isProvisional = query.data?.pages[0]?.provisional ?? false;
  const records = query.data && mergeRecords(query.data.pages);
  const read = useLinkReader(query);
  const hasFetched = query.data?.pages[0]?.careRecordsAsOf !== undefined;
  const isGone = isProblem(query.error, 'patient-unknown');
  const hasChanged = isProblem(query.error, 'care-records-changed');
  return (
    <>
      {query.isPending && <p className="loading">{t.loading}</p>}
      {isGone ? (
        <Notice kind="warning">{t.patient.gone}</Notice>
      ) : hasChanged ? (
        <Notice kind="info">
          <span>{t.patient.recordsChanged}</span>
          <Button onPress={() => void query.refetch()}>{t.reload}</Button>
        </Notice>
      ) : (
        <StaleNotice of={[query]} />
      )}
      {patient && !isGone && <MasterData patient={patient} patientRef={patientRef} isProvisional={isProvisional} />}
      {query.data ? (
        <SyncPanel patientRef={patientRef} known={query.data.pages[0]?.lastSync ?? null} />
      ) : (
        isGone && <SyncPanel patientRef={patientRef} /> // the insurer may be being asked about somebody who is not stored
      )}
      {records && !isGone && (
        <section className="card" aria-labelledby="records-title">
          <h2 id="records-title">{t.patient.records}</h2>
          <RecordsAge asOf={query.data?.pages[0]?.careRecordsAsOf} />
          {records.length === 0 && hasFetched && <p>{t.patient.noRecords}</p>}
          <ul className="records">
            {records.map((record, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: several records may have the same ID
              <li key={`${record['id']} ${index}`} className="record">
                {isLinked(record) ? (
                  <LargeRecord link={record} read={read} />
                ) : (
                  <CareRecord record={record} read={read} />
                )}
              </li>
            ))}
          </ul>
          <LoadMore of={query} />
        </section>
      )}
    </>
  );
}

/** Shows when the care records were received. @param asOf `careRecordsAsOf` of the API */
function RecordsAge({ asOf }: { readonly asOf: string | undefined }) {
  const { t, formats } = useLocale();
  if (asOf === undefined) return <p className="hint">{t.patient.recordsNever}</p>;
  if (asOf === 'unknown') return <p className="hint">{t.patient.recordsAsOfUnknown}</p>;
  return (
    <p className="hint">
      <time dateTime={asOf}>{t.patient.recordsAsOf(formats.dateTime(asOf))}</time>
    </p>
  );
}

function useLinkReader(patient: ReturnType<typeof usePatient>): ReadLink {
  const { api } = useConnection();
  return async (link) => {
    const bytes = await api.fetchLink(link).catch(async (error: unknown) => {
      if (!isProblem(error, 'link-expired')) throw error;
      const { data } = await patient.refetch(); // returns new links
      const renewed = findLink(link.sha256, data?.pages ?? []);
      if (renewed === undefined) throw error;
      return await api.fetchLink(renewed);
    });
    if (!(await matchesSha256(bytes, link.sha256))) throw new DocumentMismatch();
    return bytes;
  };
}

interface MasterDataProps {
  readonly patient: InsurerData;
  readonly patientRef: string;
  /** there are no master data yet */
  readonly isProvisional: boolean;
}

const addressFields = ['street', 'postalCode', 'city', 'country'] as const;
const masterDataFields = ['kvnr', 'familyName', 'givenName', 'birthDate', 'gender', 'insuredSince'] as const;

function MasterData({ patient, patientRef, isProvisional }: MasterDataProps) {
  const { t, formats } = useLocale();
  const { texts, others } = takeTexts(patient, masterDataFields);
  const { kvnr, familyName, givenName, birthDate, gender, insuredSince } = texts;
  const address = takeTexts(patient['address'], addressFields);
  const lines = addressLines(address.texts);
  return (
    <section className="card" aria-labelledby="patient-name">
      <div className="card-head">
        <h1 id="patient-name" className="patient-name">
          {isProvisional ? (
            t.patient.provisional
          ) : (
            <>
              <bdi>{familyName ?? t.none}</bdi>, <bdi>{givenName ?? t.none}</bdi>
            </>
          )}
        </h1>
        <Button kind="quiet" onPress={() => navigateTo('patient')}>
          {t.patient.another}
        </Button>
      </div>
      {isProvisional && <Notice kind="info">{t.patient.provisionalHint}</Notice>}
      <dl className="facts">
        {!isProvisional && (
          <Fact name={t.patient.born}>{birthDate === undefined ? t.none : formats.day(birthDate)}</Fact>
        )}
        {!isProvisional && <Fact name={t.patient.gender}>{labelFor(t.patient.genders, gender) ?? t.none}</Fact>}
        <Fact name={t.patient.kvnr}>
          <span className="code">{kvnr}</span>
        </Fact>
        {insuredSince !== undefined && <Fact name={t.patient.insuredSince}>{formats.day(insuredSince)}</Fact>}
        {lines.length > 0 && (
          <Fact name={t.patient.address}>
            <bdi>{lines.join(', ')}</bdi>
          </Fact>
        )}
      </dl>
      <Pseudonym patientRef={patientRef} />
      <OtherFields of={{ ...objectOf(others), address: address.others }} />
    </section>
  );
}

const Fact = ({ name, children }: { readonly name: string; readonly children: React.ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

const recordFields = ['programme', 'title', 'status', 'start', 'end'] as const;

function CareRecord({ record, read }: { readonly record: InsurerData; readonly read: ReadLink }) {
  const { t } = useLocale();
  const { texts, others } = takeTexts(record, recordFields);
  const provider = takeTexts(record['provider'], ['name', 'bsnr']);
  const diagnoses = takeObjects(record['diagnoses']);
  const documents = takeObjects(record['documents']);
  const { programme, title, status, start, end } = texts;
  const isKnownStatus = status !== undefined && Object.hasOwn(t.patient.statuses, status);
  return (
    <>
      <h3>
        <bdi>{title ?? textOf(record['id'])}</bdi>
      </h3>
      {(status ?? programme) !== undefined && (
        <p>
          {status !== undefined && (
            <span className={isKnownStatus ? `badge ${status}` : 'badge'}>{labelFor(t.patient.statuses, status)}</span>
          )}{' '}
          {programme !== undefined && <span className="badge">{labelFor(t.patient.programmes, programme)}</span>}
        </p>
      )}
      <Period start={start} end={end} />
      <Provider {...provider.texts} />
      <Diagnoses diagnoses={diagnoses.objects} />
      <Documents documents={documents.objects} read={read} />
      <OtherFields
        of={{
          ...objectOf(others),
          provider: provider.others,
          diagnoses: diagnoses.others,
          documents: documents.others,
        }}
      />
    </>
  );
}

function Period({ start, end }: { readonly start: string | undefined; readonly end: string | undefined }) {
  const { t, formats } = useLocale();
  if (start !== undefined && end !== undefined) return <p>{t.patient.fromTo(formats.day(start), formats.day(end))}</p>;
  if (start !== undefined) return <p>{t.patient.from(formats.day(start))}</p>;
  return end !== undefined && <p>{t.patient.until(formats.day(end))}</p>;
}

function Provider({ name, bsnr }: { readonly name?: string; readonly bsnr?: string }) {
  const { t } = useLocale();
  const parts = [name, bsnr && `BSNR ${bsnr}`].filter((part) => part !== undefined);
  if (parts.length === 0) return null;
  return (
    <p>
      <small>{t.patient.provider}</small> <bdi>{parts.join(' · ')}</bdi>
    </p>
  );
}

function Diagnoses({ diagnoses }: { readonly diagnoses: readonly InsurerData[] }) {
  const { t } = useLocale();
  if (diagnoses.length === 0) return null;
  return (
    <div>
      <small>{t.patient.diagnoses}</small>
      <ul>
        {diagnoses.map((diagnosis, index) => {
          const { texts, others } = takeTexts(diagnosis, ['code', 'text']);
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a code may occur twice, and the order is fixed
            <li key={index}>
              <span className="code">{texts.code}</span> <bdi>{texts.text}</bdi>
              <OtherFields of={objectOf(others)} />
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function Documents({ documents, read }: { readonly documents: readonly InsurerData[]; readonly read: ReadLink }) {
  const { t } = useLocale();
  if (documents.length === 0) return null;
  return (
    <div>
      <small>{t.patient.documents}</small>
      <ul className="documents">
        {documents.map((document, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the order is fixed
          <PatientDocument key={index} document={document} read={read} />
        ))}
      </ul>
    </div>
  );
}

/** Shows a record that is too large for the answer, and loads it on request. */
function LargeRecord({ link, read }: { readonly link: LinkedRecord; readonly read: ReadLink }) {
  const { t, formats } = useLocale();
  const load = useMutation({
    mutationFn: async () => parseLossless(new TextDecoder().decode(await read(link))) as InsurerData,
    gcTime: 0,
  });
  if (load.data) return <CareRecord record={withDocumentLinks(load.data, link.documents)} read={read} />;
  return (
    <>
      <h3>
        <bdi>{link.id}</bdi>
      </h3>
      <p>
        {t.patient.large} <small>{formats.bytes(link.sizeBytes)}</small>
      </p>
      <Button isPending={load.isPending} onPress={() => load.mutate()}>
        {t.patient.loadLarge}
      </Button>
      {load.error instanceof DocumentMismatch ? (
        <Notice kind="error">{t.patient.documentMismatch}</Notice>
      ) : (
        <Problem error={load.error} />
      )}
    </>
  );
}

const labelFor = <Text extends string | undefined>(labels: Readonly<Record<string, string>>, word: Text) =>
  word !== undefined && Object.hasOwn(labels, word) ? labels[word] : word;

function addressLines({ street, postalCode, city, country }: Partial<Record<(typeof addressFields)[number], string>>) {
  const town = [postalCode, city].filter((word) => word !== undefined).join(' ');
  return [street, town, country].filter((line) => line !== undefined && line !== '');
}
