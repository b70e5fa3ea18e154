import type { z } from 'zod';
import type { AccessDraft } from '../../core/domain/access.ts';
import type { Clients } from '../clients.ts';
import type { Actor } from './actor.ts';
import type { DocumentLink } from './document-link.ts';
import type { Group, OperationName, Operations } from './routes.ts';

/** A request that fits the contract, by somebody who may ask it. */
export interface Call<Name extends OperationName> {
  readonly params: PartOf<Name, 'params'>;
  readonly query: PartOf<Name, 'query'>;
  readonly body: PartOf<Name, 'body'>;
  readonly actor: Actor;
  /** whom an operation on one patient concerns */
  readonly patientRef: string;
  /** what an operation by link leads to */
  readonly link: DocumentLink | undefined;
  /** where callers reach this API, without a slash at its end */
  readonly apiUrl: string;
  readonly acceptsFhir: boolean;
  /** for who records a successful access itself; of the patient whom the request names, or of another one */
  accessDraft(patientRef?: string): AccessDraft;
}

/** What an operation answers; its status stands in the table. */
export type Reply<Name extends OperationName> = Content<Name> & {
  /** what of the patient's the access entry names */
  readonly entity?: AccessDraft['entity'];
  /** the operation has recorded the access itself */
  readonly isRecorded?: true;
};
type Content<Name extends OperationName> =
  | { readonly body: AnswerOf<Name> }
  /** JSON text, where a parser would change numbers */
  | { readonly text: string }
  | { readonly fhir: object }
  | { readonly location: string };

export type Handler<Name extends OperationName> = (call: Call<Name>, clients: Clients) => Promise<Reply<Name>>;

/** The handlers of one Lambda: of all operations of its group, and of no others. */
export type HandlersOf<G extends Group> = {
  readonly [Name in OperationName as Operations[Name]['group'] extends G ? Name : never]: Handler<Name>;
};

type PartOf<Name extends OperationName, Part extends 'params' | 'query' | 'body'> =
  Operations[Name] extends Readonly<Record<Part, infer Schema extends z.ZodType>> ? z.output<Schema> : undefined;
type AnswerOf<Name extends OperationName> =
  Operations[Name]['answer'] extends Readonly<Record<'schema', infer Schema extends z.ZodType>>
    ? Facts<z.input<Schema>>
    : never;
/** What is only read. */
type Facts<Value> = Value extends object ? { readonly [Key in keyof Value]: Facts<Value[Key]> } : Value;
