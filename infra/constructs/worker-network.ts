import type { RemovalPolicy } from 'aws-cdk-lib';
import {
  CfnEIP,
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

export interface WorkerNetworkProps {
  /** one for each zone that has to live on when another one fails; each costs as much as a small machine */
  readonly natGateways: number;
  /** of the insurer's address; TLS besides, for AWS and Temporal Cloud */
  readonly insurerPort: number;
  readonly temporalPort: number;
  /** of an OpenTelemetry collector, where there is one */
  readonly collectorPort?: number;
  readonly removalPolicy: RemovalPolicy;
}

/** Two zones, from which workers reach out and into which nobody reaches. Tables and bucket are reached without leaving AWS. */
export class WorkerNetwork extends Construct {
  readonly vpc: IVpc;
  readonly securityGroup: SecurityGroup;
  /** whom the insurer sees: the NAT gateways' own, for as long as the stack stands */
  readonly outboundAddresses: readonly string[];
  constructor(scope: Construct, id: string, props: WorkerNetworkProps) {
    super(scope, id);
    const { natGateways, insurerPort, temporalPort, collectorPort = 443, removalPolicy } = props;
    const flowLog = new LogGroup(this, 'FlowLog', { retention: RetentionDays.THREE_MONTHS, removalPolicy });
    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.20.0.0/22'),
      maxAzs: 2,
      natGateways,
      restrictDefaultSecurityGroup: false, // takes a Lambda with rights of its own; nothing is in that group
      subnetConfiguration: [
        { name: 'out', subnetType: SubnetType.PUBLIC, cidrMask: 26, mapPublicIpOnLaunch: false },
        { name: 'worker', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 24 },
      ],
      gatewayEndpoints: {
        s3: { service: GatewayVpcEndpointAwsService.S3 },
        dynamodb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
      flowLogs: {
        refused: {
          destination: FlowLogDestination.toCloudWatchLogs(flowLog),
          trafficType: FlowLogTrafficType.REJECT, // who was turned away; who may send is known
        },
      },
    }) as IVpc; // aws-cdk-lib's own types do not fit exactOptionalPropertyTypes
    const addresses = this.vpc.publicSubnets.map(({ node }) => node.tryFindChild('EIP'));
    this.outboundAddresses = addresses.filter((address) => address instanceof CfnEIP).map(({ ref }) => ref);
    this.securityGroup = new SecurityGroup(this, 'Worker', {
      vpc: this.vpc,
      description: 'epa-sync: workers reach out, nobody reaches in',
      allowAllOutbound: false,
    });
    for (const port of new Set([443, temporalPort, insurerPort, collectorPort]))
      this.securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(port), 'AWS, Temporal Cloud, insurer');
  }
}
