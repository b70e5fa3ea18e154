import { createCipheriv } from 'node:crypto';
import { between, pick, type Random, seededRandom } from './random.ts';
import { careTitles, diagnoses, unknownMembers } from './texts.ts';

export interface CareExtras {
  /** Size of an additional document before base64. 0: none. */
  largeDocumentBytes: number;
  /** Length of a text that makes one record large. 0: none. */
  largeRecordChars: number;
}

/**
 * Returns all care records of one patient as JSON text that matches the contract (insurer-api.yaml, CareRecordsAnswer).
 */
export function careAnswer(seed: number, kvnr: string, index: number, version: number, extras: CareExtras): string {
  const random = seededRandom(seed, 'care', index, version);
  const records = Array.from({ length: recordCount(random) }, (_, at) =>
    careRecord(random, at, document(random, 'd1', smallSize(random))),
  );
  if (extras.largeDocumentBytes > 0)
    records.push(careRecord(random, records.length, document(random, 'large', extras.largeDocumentBytes)));
  if (extras.largeRecordChars > 0)
    records.push(
      careRecord(random, records.length, '', `"history":"${'größer '.repeat(extras.largeRecordChars / 7)}"`),
    );
  const members = [`"kvnr":"${kvnr}"`, `"careRecords":[${records.join(',')}]`];
  if (random() < 0.3) members.unshift(`"asOf":"2026-11-24T06:00:00.000Z","version":${version}.0`);
  return `{${members.join(',')}}`;
}

function recordCount(random: Random): number {
  const share = random();
  if (share < 0.15) return 0;
  return share > 0.98 ? between(random, 30, 60) : between(random, 1, 4);
}

const smallSize = (random: Random): number =>
  random() < 0.1 ? between(random, 10_000, 60_000) : between(random, 0, 900);

function careRecord(random: Random, at: number, documents: string, more?: string): string {
  const members = [
    `"id":"${pick(random, ['V', 'vertrag/', 'ü#', '00'])}${at}"`,
    `"programme":"${pick(random, ['DMP', 'HZV', 'IV', 'other'])}"`,
    `"title":${JSON.stringify(pick(random, careTitles))}`,
    `"status":"${pick(random, ['active', 'active', 'planned', 'onhold'])}"`,
    `"start":"20${between(random, 10, 25)}-0${between(random, 1, 9)}-1${between(random, 0, 9)}"`,
  ];
  if (random() < 0.3) members.push(`"end":"2029-0${between(random, 1, 9)}-01"`);
  if (random() < 0.6)
    members.push(`"provider":{"bsnr":"${between(random, 100_000_000, 999_999_999)}","name":"Praxis Dr. Grün"}`);
  if (random() < 0.7)
    members.push(`"diagnoses":[${Array.from({ length: between(random, 0, 3) }, () => diagnosis(random)).join(',')}]`);
  if (documents !== '' && (random() < 0.4 || documents.length > 100_000)) members.push(`"documents":[${documents}]`);
  if (random() < 0.4) members.push(pick(random, unknownMembers));
  if (more !== undefined) members.push(more);
  return `{${members.join(',')}}`;
}

function diagnosis(random: Random): string {
  const [code, text] = pick(random, diagnoses);
  return random() < 0.7 ? `{"code":"${code}","text":"${text}"}` : `{"code":"${code}","certainty":"G","weight":1.0}`;
}

function document(random: Random, id: string, sizeBytes: number): string {
  const content = noise(random, sizeBytes).toString('base64');
  return `{"id":"${id}","title":"Arztbrief „Befund“","mediaType":"application/pdf","contentBase64":"${content}"}`;
}

/** Returns bytes that do not compress. AES in counter mode generates any size quickly. */
function noise(random: Random, sizeBytes: number): Buffer {
  const key = Buffer.from(Array.from({ length: 16 }, () => between(random, 0, 255)));
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}
