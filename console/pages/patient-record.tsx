import { useMutation } from '@tanstack/react-query';
import { isRawNumber, parseLossless } from '../../core/json/lossless.ts';
import type { Link } from '../api/client.ts';
import { useConnection } from '../api/context.ts';
import { isProblem, usePatient } from '../api/queries.ts';
import { Button } from '../components/button.tsx';
import {
  base64Bytes,
  isLink,
  isLinked,
  isWhole,
  type LinkedRecord,
  linkTo,
  listOf,
  objectOf,
  recordsOf,
  type Sent,
  withDocuments,
} from '../components/documents.ts';
import { More } from '../components/more.tsx';
import { Freshness, Notice, Problem } from '../components/notice.tsx';
import { Pseudonym } from '../components/pseudonym.tsx';
import { saveFile } from '../components/save-file.ts';
import type { Texts } from '../messages/de.ts';
import { useLocale } from '../messages/locale.tsx';
import { goTo } from '../route.ts';
import { SyncPanel } from './sync-panel.tsx';

export function PatientRecord({ patientRef }: { readonly patientRef: string }) {
  const { t } = useLocale();
  const query = usePatient(patientRef);
  const patient = query.data?.pages[0]?.patient;
  const records = query.data && recordsOf(query.data.pages);
  const read = useLinkReader(query);
  const isGone = isProblem(query.error, 'patient-unknown');
  const hasChanged = isProblem(query.error, 'care-records-changed');
  return (
    <>
      {query.isPending && <p className="waiting">{t.loading}</p>}
      {isGone ? (
        <Notice kind="warning">{t.patient.gone}</Notice>
      ) : hasChanged ? (
        <Notice kind="info">
          <span>{t.patient.changedMeanwhile}</span>
          <Button onPress={() => void query.refetch()}>{t.patient.records}</Button>
        </Notice>
      ) : (
        <Freshness of={[query]} />
      )}
      {patient && !isGone && <MasterData patient={patient} patientRef={patientRef} />}
      {query.data && <SyncPanel patientRef={patientRef} known={query.data.pages[0]?.lastSync ?? null} />}
      {records && !isGone && (
        <section className="card" aria-labelledby="records-title">
          <h2 id="records-title">{t.patient.records}</h2>
          {records.length === 0 && <p>{t.patient.noRecords}</p>}
          <ul className="records">
            {records.map((record, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: one record may fill several places with one id
              <li key={`${record['id']} ${index}`} className="record">
                {isLinked(record) ? (
                  <LargeRecord link={record} read={read} />
                ) : (
                  <CareRecord record={record} read={read} />
                )}
              </li>
            ))}
          </ul>
          <More of={query} />
        </section>
      )}
    </>
  );
}

class BrokenDocument extends Error {
  override readonly name = 'BrokenDocument';
}

/** Reads the text behind a link. @throws ApiError, BrokenDocument when it is not the one that the link was made for */
type ReadLink = (link: Link) => Promise<string>;

function useLinkReader(patient: ReturnType<typeof usePatient>): ReadLink {
  const { api } = useConnection();
  return async (link) => {
    const text = await api.follow(link).catch(async (error: unknown) => {
      if (!isProblem(error, 'link-expired')) throw error;
      const { data } = await patient.refetch(); // its links are new
      const renewed = linkTo(link.sha256, data?.pages ?? []);
      if (renewed === undefined) throw error;
      return await api.follow(renewed);
    });
    if (!(await isWhole(text, link.sha256))) throw new BrokenDocument();
    return text;
  };
}

function MasterData({ patient, patientRef }: { readonly patient: Sent; readonly patientRef: string }) {
  const { t, formats } = useLocale();
  const { kvnr, familyName, givenName, birthDate, gender, address, insuredSince, ...others } = patient;
  const lines = addressLines(address);
  return (
    <section className="card" aria-labelledby="patient-name">
      <div className="card-head">
        <h1 id="patient-name" className="patient-name">
          <bdi>{wordOf(familyName)}</bdi>, <bdi>{wordOf(givenName)}</bdi>
        </h1>
        <Button kind="quiet" onPress={() => goTo('patient')}>
          {t.patient.another}
        </Button>
      </div>
      <dl className="facts">
        <Fact name={t.patient.born}>{formats.day(wordOf(birthDate))}</Fact>
        <Fact name={t.patient.gender}>{wordFor(t.patient.genders, gender)}</Fact>
        <Fact name={t.patient.kvnr}>
          <span className="code">{wordOf(kvnr)}</span>
        </Fact>
        {insuredSince !== undefined && <Fact name={t.patient.insuredSince}>{formats.day(wordOf(insuredSince))}</Fact>}
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

function CareRecord({ record, read }: { readonly record: Sent; readonly read: ReadLink }) {
  const { t, formats } = useLocale();
  const { id, programme, title, status, start, end, provider, diagnoses, documents, ...others } = record;
  const begins = formats.day(wordOf(start));
  return (
    <>
      <h3>
        <bdi>{wordOf(title) || wordOf(id)}</bdi>
      </h3>
      <p>
        <span className={`badge ${wordOf(status)}`}>{wordFor(t.patient.statuses, status)}</span>{' '}
        <span className="badge">{wordFor(t.patient.programmes, programme)}</span>
      </p>
      <p>{end === undefined ? t.patient.from(begins) : t.patient.fromTo(begins, formats.day(wordOf(end)))}</p>
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
  const words = [wordOf(name), bsnr === undefined ? '' : `BSNR ${wordOf(bsnr)}`].filter((word) => word !== '');
  if (words.length === 0) return null;
  return (
    <p>
      <small>{t.patient.provider}</small> <bdi>{words.join(' · ')}</bdi>
    </p>
  );
}

function Diagnoses({ diagnoses, t }: { readonly diagnoses: readonly Sent[]; readonly t: Texts }) {
  if (diagnoses.length === 0) return null;
  return (
    <div>
      <small>{t.patient.diagnoses}</small>
      <ul>
        {diagnoses.map(({ code, text }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a code may stand there twice, and nothing moves
          <li key={index}>
            <span className="code">{wordOf(code)}</span> <bdi>{wordOf(text)}</bdi>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Documents({ documents, read }: { readonly documents: readonly Sent[]; readonly read: ReadLink }) {
  const { t } = useLocale();
  if (documents.length === 0) return null;
  return (
    <div>
      <small>{t.patient.documents}</small>
      <ul className="documents">
        {documents.map((document, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: nothing moves
          <Document key={index} document={document} read={read} />
        ))}
      </ul>
    </div>
  );
}

function Document({ document, read }: { readonly document: Sent; readonly read: ReadLink }) {
  const { t, formats } = useLocale();
  const { id, title, mediaType, contentBase64 } = document;
  const name = wordOf(title) || wordOf(id);
  const link = isLink(contentBase64) ? contentBase64 : undefined;
  const isMissing = link === undefined && wordOf(contentBase64) === ''; // its link is on a later page
  const download = useMutation({
    mutationFn: async () => {
      const text = link === undefined ? wordOf(contentBase64) : await read(link);
      // its own media type is the insurer's word: saved, never opened as a page of ours
      saveFile(fileName(name, wordOf(mediaType)), new Blob([base64Bytes(text)], { type: 'application/octet-stream' }));
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
          {t.patient.open}
          <span className="unseen">
            : <bdi>{name}</bdi>
          </span>
        </Button>
      )}
      {download.error instanceof BrokenDocument ? (
        <Notice kind="error">{t.patient.broken}</Notice>
      ) : (
        <Problem error={download.error} />
      )}
    </li>
  );
}

const endings: Readonly<Record<string, string>> = {
  'application/pdf': 'pdf',
  'application/xml': 'xml',
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'text/plain': 'txt',
};

/** A name that any file system takes. */
const fileName = (name: string, mediaType: string): string =>
  `${
    name
      .replace(/[^\p{L}\p{N} ._-]+/gu, ' ')
      .trim()
      .slice(0, 80) || 'document'
  }.${endings[mediaType] ?? 'bin'}`;

/** A record that is no part of the answer, as it is too large: fetched when somebody wants it. */
function LargeRecord({ link, read }: { readonly link: LinkedRecord; readonly read: ReadLink }) {
  const { t, formats } = useLocale();
  const load = useMutation({ mutationFn: async () => parseLossless(await read(link)) as Sent, gcTime: 0 });
  if (load.data) return <CareRecord record={withDocuments(load.data, link.documents)} read={read} />;
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
      {load.error instanceof BrokenDocument ? (
        <Notice kind="error">{t.patient.broken}</Notice>
      ) : (
        <Problem error={load.error} />
      )}
    </>
  );
}

/** Longer ones are cut on the page: a field may hold megabytes. Characters. */
const shownMax = 4_000;

function OtherFields({ of: fields }: { readonly of: Sent }) {
  const { t } = useLocale();
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return null;
  const text = JSON.stringify(Object.fromEntries(entries), null, 2);
  return (
    <details>
      <summary>{t.patient.otherFields}</summary>
      <pre className="raw code" dir="auto">
        {text.length > shownMax ? `${text.slice(0, shownMax)} …` : text}
      </pre>
    </details>
  );
}

/** Text of what should be a text, and may be anything. */
function wordOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (isRawNumber(value)) return value.rawJSON;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

const wordFor = (words: Readonly<Record<string, string>>, value: unknown): string =>
  (typeof value === 'string' && Object.hasOwn(words, value) && words[value]) || wordOf(value);

function addressLines(address: unknown): readonly string[] {
  const { street, postalCode, city, country } = objectOf(address);
  const town = [wordOf(postalCode), wordOf(city)].filter((word) => word !== '').join(' ');
  return [wordOf(street), town, wordOf(country)].filter((word) => word !== '');
}
