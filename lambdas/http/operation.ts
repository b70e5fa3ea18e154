import type { z } from 'zod';
import type { AccessDraft } from '../../core/domain/access.ts';
import type { Clients } from '../clients.ts';
import type { Actor } from './actor.ts';
import type { DocumentLink } from './document-link.ts';
import type { Group, OperationName, Operations } from './routes.ts';

/** A valid request of an authorized caller. */
export interface Call<Name extends OperationName> {
  readonly params: PartOf<Name, 'params'>;
  readonly query: PartOf<Name, 'query'>;
  readonly body: PartOf<Name, 'body'>;
  readonly actor: Actor;
  /** the patient of an operation on one patient, otherwise empty */
  readonly patientRef: string;
  /** the content of the link, for an operation by link */
  readonly link: DocumentLink | undefined;
  /** address of this API, without a slash at the end */
  readonly apiUrl: string;
  readonly acceptsFhir: boolean;
  readonly acceptsCsv: boolean;
  /**
   * Returns a draft for a handler that records a successful access itself.
   * @param patientRef default: the patient in the request
   */
  accessDraft(patientRef?: string): AccessDraft;
  /** from where the request comes, as access entries name it */
  readonly source: AccessDraft['source'];
}

/** The answer of an operation. The table of operations holds its status. */
export type Reply<Name extends OperationName> = Content<Name> & {
  /** the object that the access entry names */
  readonly entity?: AccessDraft['entity'];
  /** set if the operation has recorded the access itself */
  readonly isRecorded?: true;
};
type Content<Name extends OperationName> =
  | { readonly body: AnswerOf<Name> }
  /** JSON text, if printing a parsed value would change numbers */
  | { readonly text: string }
  | { readonly fhir: object }
  /** @param fileName under which a browser saves it */
  | { readonly csv: string; readonly fileName: string }
  | { readonly location: string };

export type Handler<Name extends OperationName> = (call: Call<Name>, clients: Clients) => Promise<Reply<Name>>;

/** The handlers of one Lambda: exactly the operations of its group. */
export type HandlersOf<G extends Group> = {
  readonly [Name in OperationName as Operations[Name]['group'] extends G ? Name : never]: Handler<Name>;
};

type PartOf<Name extends OperationName, Part extends 'params' | 'query' | 'body'> =
  Operations[Name] extends Readonly<Record<Part, infer Schema extends z.ZodType>> ? z.output<Schema> : undefined;
type AnswerOf<Name extends OperationName> =
  Operations[Name]['answer'] extends Readonly<Record<'schema', infer Schema extends z.ZodType>>
    ? DeepReadonly<z.input<Schema>>
    : never;
/** Makes all fields of a value read-only, at every depth. */
type DeepReadonly<Value> = Value extends object ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> } : Value;
