import { useMutation } from '@tanstack/react-query';
import { decodeContent } from '../../core/domain/document-content.ts';
import { isRawNumber, parseLossless } from '../../core/json/lossless.ts';
import type { Link } from '../api/client.ts';
import { useConnection } from '../api/context.ts';
import { isProblem, usePatient } from '../api/queries.ts';
import { Button } from '../components/button.tsx';
import {
  findLink,
  type InsurerData,
  isLink,
  isLinked,
  type LinkedRecord,
  listOf,
  matchesSha256,
  mergeRecords,
  objectOf,
  withDocumentLinks,
} from '../components/documents.ts';
import { LoadMore } from '../components/load-more.tsx';
import { Notice, Problem, StaleNotice } from '../components/notice.tsx';
import { Pseudonym } from '../components/pseudonym.tsx';
import { saveFile } from '../components/save-file.ts';
import type { Messages } from '../messages/de.ts';
import { useLocale } from '../messages/locale.tsx';
import { navigateTo } from '../route.ts';
import { SyncPanel } from './sync-panel.tsx';

export function PatientRecord({ patientRef }: { readonly patientRef: string }) {
  const { t } = useLocale();
  const query = usePatient(patientRef);
  const patient = query.data?.pages[0]?.patient;
  const isProvisional = query.data?.pages[0]?.provisional ?? false;
  const records = query.data && mergeRecords(query.data.pages);
  const read = useLinkReader(query);
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
          {records.length === 0 && <p>{t.patient.noRecords}</p>}
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

class DocumentMismatch extends Error {
  override readonly name = 'DocumentMismatch';
}

/** Reads the text behind a link. @throws ApiError; DocumentMismatch if its hash is not the link's */
type ReadLink = (link: Link) => Promise<string>;

function useLinkReader(patient: ReturnType<typeof usePatient>): ReadLink {
  const { api } = useConnection();
  return async (link) => {
    const text = await api.fetchLink(link).catch(async (error: unknown) => {
      if (!isProblem(error, 'link-expired')) throw error;
      const { data } = await patient.refetch(); // returns new links
      const renewed = findLink(link.sha256, data?.pages ?? []);
      if (renewed === undefined) throw error;
      return await api.fetchLink(renewed);
    });
    if (!(await matchesSha256(text, link.sha256))) throw new DocumentMismatch();
    return text;
  };
}

interface MasterDataProps {
  readonly patient: InsurerData;
  readonly patientRef: string;
  /** there are no master data yet */
  readonly isProvisional: boolean;
}

function MasterData({ patient, patientRef, isProvisional }: MasterDataProps) {
  const { t, formats } = useLocale();
  const { kvnr, familyName, givenName, birthDate, gender, address, insuredSince, ...others } = patient;
  const lines = addressLines(address);
  return (
    <section className="card" aria-labelledby="patient-name">
      <div className="card-head">
        <h1 id="patient-name" className="patient-name">
          {isProvisional ? (
            t.patient.provisional
          ) : (
            <>
              <bdi>{textOf(familyName)}</bdi>, <bdi>{textOf(givenName)}</bdi>
            </>
          )}
        </h1>
        <Button kind="quiet" onPress={() => navigateTo('patient')}>
          {t.patient.another}
        </Button>
      </div>
      {isProvisional && <Notice kind="info">{t.patient.provisionalHint}</Notice>}
      <dl className="facts">
        {!isProvisional && <Fact name={t.patient.born}>{formats.day(textOf(birthDate))}</Fact>}
        {!isProvisional && <Fact name={t.patient.gender}>{labelFor(t.patient.genders, gender)}</Fact>}
        <Fact name={t.patient.kvnr}>
          <span className="code">{textOf(kvnr)}</span>
        </Fact>
        {insuredSince !== undefined && <Fact name={t.patient.insuredSince}>{formats.day(textOf(insuredSince))}</Fact>}
        {lines.length > 0 && (
          <Fact name={t.patient.address}>
            <bdi>{lines.join(', ')}</bdi>
          </Fact>
        )}
      </dl>
      <Pseudonym patientRef={patientRef} />
      <OtherFields of={others} />
    </section>
  );
}

const Fact = ({ name, children }: { readonly name: string; readonly children: React.ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

function CareRecord({ record, read }: { readonly record: InsurerData; readonly read: ReadLink }) {
  const { t, formats } = useLocale();
  const { id, programme, title, status, start, end, provider, diagnoses, documents, ...others } = record;
  const begins = formats.day(textOf(start));
  return (
    <>
      <h3>
        <bdi>{textOf(title) || textOf(id)}</bdi>
      </h3>
      <p>
        <span className={`badge ${textOf(status)}`}>{labelFor(t.patient.statuses, status)}</span>{' '}
        <span className="badge">{labelFor(t.patient.programmes, programme)}</span>
      </p>
      <p>{end === undefined ? t.patient.from(begins) : t.patient.fromTo(begins, formats.day(textOf(end)))}</p>
      <Provider provider={provider} />
      <Diagnoses diagnoses={listOf(diagnoses)} t={t} />
      <Documents documents={listOf(documents)} read={read} />
      <OtherFields of={{ id, ...others }} />
    </>
  );
}

function Provider({ provider }: { readonly provider: unknown }) {
  const { t } = useLocale();
  const { name, bsnr } = objectOf(provider);
  const parts = [textOf(name), bsnr === undefined ? '' : `BSNR ${textOf(bsnr)}`].filter((part) => part !== '');
  if (parts.length === 0) return null;
  return (
    <p>
      <small>{t.patient.provider}</small> <bdi>{parts.join(' · ')}</bdi>
    </p>
  );
}

function Diagnoses({ diagnoses, t }: { readonly diagnoses: readonly InsurerData[]; readonly t: Messages }) {
  if (diagnoses.length === 0) return null;
  return (
    <div>
      <small>{t.patient.diagnoses}</small>
      <ul>
        {diagnoses.map(({ code, text }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a code may occur twice, and the order is fixed
          <li key={index}>
            <span className="code">{textOf(code)}</span> <bdi>{textOf(text)}</bdi>
          </li>
        ))}
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
          <Document key={index} document={document} read={read} />
        ))}
      </ul>
    </div>
  );
}

function Document({ document, read }: { readonly document: InsurerData; readonly read: ReadLink }) {
  const { t, formats } = useLocale();
  const { id, title, mediaType, contentBase64 } = document;
  const name = textOf(title) || textOf(id);
  const link = isLink(contentBase64) ? contentBase64 : undefined;
  const isMissing = link === undefined && textOf(contentBase64) === ''; // its link is on a page that is not loaded yet
  const download = useMutation({
    mutationFn: async () => {
      const text = link === undefined ? textOf(contentBase64) : await read(link);
      const content = decodeContent(text);
      // the insurer sets the media type: a neutral one keeps the browser from opening the file as a page
      const file = new Blob([content ?? text], { type: 'application/octet-stream' });
      saveFile(fileName(name, content === undefined ? 'text/plain' : textOf(mediaType)), file);
      return { isDecoded: content !== undefined };
    },
    gcTime: 0,
  });
  return (
    <li>
      <span>
        <bdi>{name}</bdi> {link !== undefined && <small>{formats.bytes(Math.floor((link.sizeBytes * 3) / 4))}</small>}
      </span>
      {isMissing ? (
        <small>{t.patient.documentLater}</small>
      ) : (
        <Button kind="plain" isPending={download.isPending} onPress={() => download.mutate()}>
          {t.patient.download}
          <span className="visually-hidden">
            : <bdi>{name}</bdi>
          </span>
        </Button>
      )}
      {download.data?.isDecoded === false && <Notice kind="warning">{t.patient.documentNotBase64}</Notice>}
      {download.error instanceof DocumentMismatch ? (
        <Notice kind="error">{t.patient.documentMismatch}</Notice>
      ) : (
        <Problem error={download.error} />
      )}
    </li>
  );
}

const fileExtensions: Readonly<Record<string, string>> = {
  'application/pdf': 'pdf',
  'application/xml': 'xml',
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'text/plain': 'txt',
};

/** Returns a name that is valid in every file system. */
const fileName = (name: string, mediaType: string): string =>
  `${
    name
      .replace(/[^\p{L}\p{N} ._-]+/gu, ' ')
      .trim()
      .slice(0, 80) || 'document'
  }.${fileExtensions[mediaType] ?? 'bin'}`;

/** Shows a record that is too large for the answer, and loads it on request. */
function LargeRecord({ link, read }: { readonly link: LinkedRecord; readonly read: ReadLink }) {
  const { t, formats } = useLocale();
  const load = useMutation({ mutationFn: async () => parseLossless(await read(link)) as InsurerData, gcTime: 0 });
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

/** Maximum length of the shown text, in characters: a field may hold megabytes. */
const shownCharactersMax = 4_000;

function OtherFields({ of: fields }: { readonly of: InsurerData }) {
  const { t } = useLocale();
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return null;
  const text = JSON.stringify(Object.fromEntries(entries), null, 2);
  return (
    <details>
      <summary>{t.patient.otherFields}</summary>
      <pre className="raw code" dir="auto">
        {text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax)} …` : text}
      </pre>
    </details>
  );
}

/** Returns a value of any type as text. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (isRawNumber(value)) return value.rawJSON;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

const labelFor = (labels: Readonly<Record<string, string>>, value: unknown): string =>
  (typeof value === 'string' && Object.hasOwn(labels, value) && labels[value]) || textOf(value);

function addressLines(address: unknown): readonly string[] {
  const { street, postalCode, city, country } = objectOf(address);
  const town = [textOf(postalCode), textOf(city)].filter((word) => word !== '').join(' ');
  return [textOf(street), town, textOf(country)].filter((word) => word !== '');
}
