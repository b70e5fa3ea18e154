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
  /** one for each availability zone that must survive the failure of another; each costs as much as a small machine */
  readonly natGateways: number;
  /** port of the insurer, or of the proxy to it. 443 is always open, for AWS and Temporal Cloud */
  readonly insurerPort: number;
  readonly temporalPort: number;
  /** port of the OpenTelemetry collector, if there is one */
  readonly collectorPort?: number;
  readonly removalPolicy: RemovalPolicy;
}

/** A network in two availability zones with outbound connections only. Tables and bucket are reached without leaving AWS. */
export class WorkerNetwork extends Construct {
  readonly vpc: IVpc;
  readonly securityGroup: SecurityGroup;
  /** source addresses that the insurer sees: those of the NAT gateways, fixed for the lifetime of the stack */
  readonly outboundAddresses: readonly string[];
  constructor(scope: Construct, id: string, props: WorkerNetworkProps) {
    super(scope, id);
    const { natGateways, insurerPort, temporalPort, collectorPort = 443, removalPolicy } = props;
    const flowLog = new LogGroup(this, 'FlowLog', { retention: RetentionDays.THREE_MONTHS, removalPolicy });
    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.20.0.0/22'),
      maxAzs: 2,
      natGateways,
      restrictDefaultSecurityGroup: false, // would need a Lambda with further permissions, and nothing uses that group
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
          trafficType: FlowLogTrafficType.REJECT, // only rejected traffic: allowed traffic is known
        },
      },
    }) as IVpc; // aws-cdk-lib's own types do not fit exactOptionalPropertyTypes
    const addresses = this.vpc.publicSubnets.map(({ node }) => node.tryFindChild('EIP'));
    this.outboundAddresses = addresses.filter((address) => address instanceof CfnEIP).map(({ ref }) => ref);
    this.securityGroup = new SecurityGroup(this, 'Worker', {
      vpc: this.vpc,
      description: 'epa-sync: outbound connections of workers only',
      allowAllOutbound: false,
    });
    for (const port of new Set([443, temporalPort, insurerPort, collectorPort]))
      this.securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(port), 'AWS, Temporal Cloud, insurer');
  }
}
