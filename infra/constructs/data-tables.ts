import { RemovalPolicy } from 'aws-cdk-lib';
import {
  type Attribute,
  AttributeType,
  BillingMode,
  type GlobalSecondaryIndexProps,
  ProjectionType,
  StreamViewType,
  Table,
  TableEncryption,
} from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { birthIndex, type Tables, tablesOf } from '../../core/stores/tables.ts';

export interface DataTablesProps {
  readonly deployment: string;
  readonly encryptionKey: IKey;
  readonly removalPolicy: RemovalPolicy;
}

interface TableShape {
  readonly id: string;
  readonly partitionKey: Attribute;
  readonly sortKey?: Attribute;
  readonly timeToLiveAttribute?: string;
  readonly stream?: StreamViewType;
  readonly index?: GlobalSecondaryIndexProps;
}

const text = (name: string): Attribute => ({ name, type: AttributeType.STRING });

/**
 * The six tables (docs/explanation/architecture.md, "Tables"). CDK does not generate their names (ADR 0011). A changed key
 * would replace a table under the same name, which CloudFormation rejects, so no data can be lost that way. `id` is the
 * table's name in the template.
 */
const tableShapes: Readonly<Record<keyof Tables, TableShape>> = {
  patients: {
    id: 'Patients',
    partitionKey: text('shard'),
    sortKey: text('patientRef'),
    timeToLiveAttribute: 'expiresAt', // only tombstones and inquiries have it
    stream: StreamViewType.NEW_AND_OLD_IMAGES, // what a write means to others is read from both
    // CloudFormation adds one index to a table in one update, not two
    index: {
      indexName: birthIndex,
      partitionKey: text('birthHash'),
      projectionType: ProjectionType.INCLUDE,
      nonKeyAttributes: ['nameHashes'],
    },
  },
  careRecords: { id: 'CareRecords', partitionKey: text('patientRef'), sortKey: text('sk') },
  accessLog: {
    id: 'AuditLog',
    partitionKey: text('patientRef'),
    sortKey: { name: 'seq', type: AttributeType.NUMBER },
    timeToLiveAttribute: 'expiresAt', // three years, then deleted (§ 309 SGB V)
    stream: StreamViewType.NEW_IMAGE, // each entry gets an anchor from it
  },
  line: { id: 'Line', partitionKey: text('insurerId'), stream: StreamViewType.NEW_AND_OLD_IMAGES },
  syncRuns: {
    id: 'SyncRuns',
    partitionKey: text('insurerId'),
    sortKey: text('runId'),
    stream: StreamViewType.NEW_AND_OLD_IMAGES,
  },
  changes: {
    id: 'Changes',
    partitionKey: text('feed'),
    sortKey: { name: 'seq', type: AttributeType.NUMBER },
    timeToLiveAttribute: 'expiresAt', // 31 days
  },
};

/** All tables: on-demand capacity, point-in-time recovery for 35 days, encrypted with the customer-managed key. */
export class DataTables extends Construct {
  readonly accessLog: Table;
  readonly patients: Table;
  readonly line: Table;
  readonly syncRuns: Table;
  constructor(scope: Construct, id: string, { deployment, encryptionKey, removalPolicy }: DataTablesProps) {
    super(scope, id);
    const names = tablesOf(deployment);
    const tables = Object.entries(tableShapes).map(([name, { id, index, ...shape }]) => {
      const table = new Table(this, id, {
        tableName: names[name as keyof Tables],
        ...shape,
        billingMode: BillingMode.PAY_PER_REQUEST,
        pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true, recoveryPeriodInDays: 35 },
        encryption: TableEncryption.CUSTOMER_MANAGED,
        encryptionKey,
        deletionProtection: removalPolicy === RemovalPolicy.RETAIN,
        removalPolicy,
      });
      if (index) table.addGlobalSecondaryIndex(index);
      return [name, table] as const;
    });
    const byName = Object.fromEntries(tables) as Readonly<Record<keyof Tables, Table>>;
    this.accessLog = byName.accessLog;
    this.patients = byName.patients;
    this.line = byName.line;
    this.syncRuns = byName.syncRuns;
  }
}
