import { Fn, type Stack } from 'aws-cdk-lib';
import {
  CfnFlowLog,
  CfnNetworkAcl,
  CfnRouteTable,
  CfnSecurityGroup,
  CfnSubnet,
  CfnSubnetNetworkAclAssociation,
  CfnSubnetRouteTableAssociation,
  CfnVPC,
} from 'aws-cdk-lib/aws-ec2';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { acknowledge, logGroup, plainRole } from './construct-kit.ts';
import { arnsOf, namesOf, type Place } from './names.ts';
import { policy } from './policies.ts';

/** What a function needs to be put into the network. */
export interface SandboxNetwork {
  subnetIds: string[];
  securityGroupIds: string[];
}

const cidrs = ['10.255.0.0/27', '10.255.0.32/27'];

/**
 * A network that leads nowhere, for the sandbox: no gateway, no NAT, no endpoint, no resolver, an access list without a rule
 * (which refuses everything) and a security group whose only rule leads to an address that is none. Lambda's own calls of
 * the function do not pass through it. Resources without CDK's conveniences, for those bring routes, resolvers and functions.
 */
export function createSandboxNetwork(stack: Stack, place: Place, logDays: number): SandboxNetwork {
  const name = `${namesOf(place).prefix}-render-sandbox`;
  const tags = [{ key: 'Name', value: name }];
  const vpc = new CfnVPC(stack, 'SandboxNetwork', {
    cidrBlock: '10.255.0.0/26',
    enableDnsSupport: false,
    enableDnsHostnames: false,
    tags,
  });
  const routes = new CfnRouteTable(stack, 'SandboxRoutes', { vpcId: vpc.ref, tags });
  const accessList = new CfnNetworkAcl(stack, 'SandboxAccessList', { vpcId: vpc.ref, tags });
  acknowledge(accessList, {
    'AwsSolutions-VPC3':
      'It refuses everything; there is no rule to get wrong, and it stands even if the group were changed.',
  });
  const subnetIds = cidrs.map((cidrBlock, index) => {
    const subnet = new CfnSubnet(stack, `SandboxSubnet${index}`, {
      vpcId: vpc.ref,
      cidrBlock,
      availabilityZone: Fn.select(index, Fn.getAzs()),
      mapPublicIpOnLaunch: false,
      tags,
    });
    new CfnSubnetRouteTableAssociation(stack, `SandboxRoute${index}`, {
      subnetId: subnet.ref,
      routeTableId: routes.ref,
    });
    new CfnSubnetNetworkAclAssociation(stack, `SandboxAccess${index}`, {
      subnetId: subnet.ref,
      networkAclId: accessList.ref,
    });
    return subnet.ref;
  });
  const group = new CfnSecurityGroup(stack, 'SandboxGroup', {
    groupDescription: 'Hawser: nothing in, nothing out',
    vpcId: vpc.ref,
    // Without a rule EC2 would add one that lets everything out.
    securityGroupEgress: [{ cidrIp: '255.255.255.255/32', ipProtocol: 'icmp', fromPort: 252, toPort: 86 }],
    tags,
  });
  recordAttempts(stack, place, vpc.ref, logDays);
  return { subnetIds, securityGroupIds: [group.attrGroupId] };
}

/** Whatever tries to get out is refused, and seen. */
function recordAttempts(stack: Stack, place: Place, vpcId: string, logDays: number): void {
  const names = namesOf(place);
  const group = logGroup(stack, 'SandboxTraffic', names.logGroup('render-sandbox-traffic'), logDays);
  const { role } = plainRole(stack, 'SandboxTrafficRole', {
    name: names.role('sandbox-traffic'),
    does: 'Writes what the sandbox tried to send',
    assumedBy: new ServicePrincipal('vpc-flow-logs.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': place.account } },
    }),
    policy: policy([
      {
        Sid: 'OwnLog',
        Effect: 'Allow',
        Action: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
        Resource: [`${arnsOf(place).logGroup('render-sandbox-traffic')}:*`],
      },
    ]),
    wildcards: { OwnLog: 'Streams of its one log group, whose names flow logs choose.' },
  });
  new CfnFlowLog(stack, 'SandboxTrafficLog', {
    resourceType: 'VPC',
    resourceId: vpcId,
    trafficType: 'REJECT',
    logDestinationType: 'cloud-watch-logs',
    logGroupName: group.logGroupName,
    deliverLogsPermissionArn: role.roleArn,
  });
}
