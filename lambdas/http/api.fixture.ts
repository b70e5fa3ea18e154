import { randomBytes, randomUUID } from 'node:crypto';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { clientConfig, readConfig } from '../../core/config.ts';
import { defaultDeployment } from '../../core/contract/deployment.ts';
import { dailySyncId } from '../../core/contract/names.ts';
import { nameHashesOf } from '../../core/crypto/name-hashes.ts';
import { patientRefOf } from '../../core/crypto/pseudonyms.ts';
import type { Role } from '../../core/domain/access.ts';
import { isKvnr, type Kvnr } from '../../core/domain/kvnr.ts';
import { splitAnswer } from '../../core/domain/split-answer.ts';
import { openStores, type Stores } from '../../core/stores/open-stores.ts';
import { openTemporal } from '../../core/temporal/connection.ts';
import { audience, type Issuer, startIssuer } from './issuer.fixture.ts';
import { sentBody } from './problem.fixture.ts';
import { type Group, groups, type OperationName, operations } from './routes.ts';

export interface Ask {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | string[]>>;
  /** sent as the operation takes it; a string is sent unchanged */
  readonly body?: unknown;
  /** role of the token; without it, no token is sent */
  readonly role?: Role | 'none';
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests check any answer
  readonly json: any;
}

type Handler = (event: APIGatewayProxyEvent, context: object) => Promise<APIGatewayProxyResult>;

export interface Api {
  readonly issuer: Issuer;
  readonly insurerId: string;
  readonly stores: Stores;
  /** Calls the Lambda of an operation with the event that API Gateway would create for the request. */
  ask(name: OperationName, ask?: Ask): Promise<Answered>;
  /** Returns only the event. */
  eventOf(name: OperationName, ask?: Ask): Promise<APIGatewayProxyEvent>;
  tokenOf(role: Role | 'none'): Promise<string>;
  /** Terminates the run in progress, because no worker runs. */
  endRun(): Promise<void>;
  /** Stores a new patient with these care records. @param careRecords JSON text of the insurer */
  storePatient(careRecords?: string, entry?: string): Promise<{ readonly kvnr: Kvnr; readonly patientRef: string }>;
  refOf(kvnr: Kvnr): string;
}

export const consoleOrigin = 'http://127.0.0.1:8080';

/** Loads the real Lambdas, with the emulator and the Temporal server of this test run and an own issuer. No worker runs. */
export async function openApi(settings: Readonly<Record<string, string>> = {}): Promise<Api> {
  const issuer = await startIssuer();
  const { PSEUDONYM_KEY, PAYLOAD_KEYS, ...environment } = process.env;
  if (PSEUDONYM_KEY === undefined || PAYLOAD_KEYS === undefined)
    throw new Error('PSEUDONYM_KEY or PAYLOAD_KEYS is not set: run this test with npm test');
  const insurerId = `kk-${randomUUID().slice(0, 8)}`;
  const secretId = `epa-sync/${insurerId}`;
  const region = environment['AWS_REGION'] ?? '';
  const secrets = new SecretsManagerClient({ region });
  const SecretString = JSON.stringify({ PSEUDONYM_KEY, ...(!settings['PAYLOAD_KMS_KEY'] && { PAYLOAD_KEYS }) });
  await secrets.send(new CreateSecretCommand({ Name: secretId, SecretString }));
  Object.assign(process.env, {
    INSURER_ID: insurerId,
    SECRET_ID: secretId,
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: audience,
    CONSOLE_ORIGIN: consoleOrigin,
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'true',
    ...settings,
  });
  delete process.env['PSEUDONYM_KEY'];
  delete process.env['PAYLOAD_KEYS'];
  const stores = openStores({
    AWS_REGION: region,
    BUCKET_NAME: environment['BUCKET_NAME'] ?? '',
    DEPLOYMENT: defaultDeployment,
    ANCHOR_BUCKET_NAME: environment['ANCHOR_BUCKET_NAME'] ?? '',
  });
  const handlers = Object.fromEntries(
    await Promise.all(
      groups.map(async (group) => [
        group,
        ((await import(`../functions/${group}.ts`)) as { handler: Handler }).handler,
      ]),
    ),
  ) as Record<Group, Handler>;
  const pseudonymKey = Buffer.from(PSEUDONYM_KEY, 'base64');
  const refOf = (kvnr: Kvnr): string => patientRefOf(kvnr, pseudonymKey);

  const tokenOf = async (role: Role | 'none') =>
    await issuer.sign({ sub: `${role}-1`, name: `Demo ${role}`, roles: role === 'none' ? [] : [role] });

  const eventOf = async (name: OperationName, ask: Ask = {}): Promise<APIGatewayProxyEvent> => {
    const { method, path } = operations[name];
    const { params = {}, query = {}, body, role } = ask;
    const token = ask.token ?? (role && (await tokenOf(role)));
    const sent = body === undefined ? undefined : sentBody(name, body);
    const headers = {
      ...(sent && { 'content-type': sent.mediaType }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...ask.headers,
    };
    const lists = Object.entries(query).map(([key, value]) => [key, [value].flat()] as const);
    const filled = path.replace(/\{(\w+)\}/g, (_, key) => params[key] ?? '');
    return {
      resource: path,
      path: filled,
      httpMethod: method,
      headers,
      multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, [value]])),
      pathParameters: Object.keys(params).length > 0 ? params : null,
      queryStringParameters: Object.fromEntries(lists.map(([key, values]) => [key, values.at(-1)])),
      multiValueQueryStringParameters: Object.fromEntries(lists),
      stageVariables: null,
      body: sent?.text ?? null,
      isBase64Encoded: false,
      requestContext: {
        requestId: randomUUID(),
        apiId: 'api',
        stage: 'v1',
        path: `/v1${filled}`,
        identity: { sourceIp: '192.0.2.7' },
      },
    } as unknown as APIGatewayProxyEvent;
  };

  return {
    issuer,
    insurerId,
    stores,
    eventOf,
    tokenOf,
    refOf,
    async ask(name, ask) {
      const result = await handlers[operations[name].group](await eventOf(name, ask), {});
      const text = result.body;
      const isCsv = String(result.headers?.['content-type']).startsWith('text/csv');
      return {
        status: result.statusCode,
        headers: result.headers as Record<string, string>,
        text,
        json: text === '' || isCsv ? undefined : JSON.parse(text),
      };
    },
    async endRun() {
      const temporal = openTemporal(
        readConfig(clientConfig, { ...environment, PSEUDONYM_KEY, PAYLOAD_KEYS, INSURER_ID: insurerId }),
      );
      await temporal.workflow.getHandle(dailySyncId(insurerId)).terminate();
      await temporal.connection.close();
    },
    async storePatient(careRecords, entry) {
      const kvnr = newKvnr();
      const patientRef = refOf(kvnr);
      const body = entry ?? JSON.stringify({ kvnr, familyName: 'Größling', givenName: 'Anna', gender: 'female' });
      const nameHashes = nameHashesOf({ body, contentHash: '' }, pseudonymKey);
      await stores.patients.storeNew([{ patientRef, kvnr, body, contentHash: '', nameHashes }], 'list');
      if (careRecords !== undefined) {
        const answer = splitAnswer(`{"kvnr": "${kvnr}", "careRecords": ${careRecords}}`);
        await stores.careRecords.stage(patientRef, '1', answer);
        await stores.patients.activateCareVersion(patientRef, '1', 1);
      }
      return { kvnr, patientRef };
    },
  };
}

/** Returns a random KVNR. */
export function newKvnr(): Kvnr {
  for (;;) {
    const number = `X${String(randomBytes(4).readUInt32BE() % 1_000_000_000).padStart(9, '0')}`;
    if (isKvnr(number)) return number;
  }
}

/** Returns a token with one changed character. Not the last one, because not all of its bits count. */
export const withOneCharacterChanged = (token: string): string =>
  `${token.slice(0, -5)}${token.at(-5) === 'A' ? 'B' : 'A'}${token.slice(-4)}`;
