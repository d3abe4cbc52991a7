import { ArnFormat, CfnOutput, CfnParameter, Stack, type StackProps } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import {
  AllowedMethods,
  CachePolicy,
  Distribution,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestPolicy,
  OriginSslPolicy,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { CfnLoggingConfiguration, CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';
import { acknowledge, logGroup } from './construct-kit.ts';
import { namesOf } from './names.ts';
import type { DeploymentSettings } from './settings.ts';

/**
 * CloudFront with a WebACL before the HTTP API, which takes no WebACL itself; only with `-c waf=on`, and in us-east-1, where
 * CloudFront's WebACLs and certificates live. Which API it leads to comes as a parameter, so that no stack of one region
 * needs machinery to read from another: `npm run deploy:aws` hands it over.
 */
export class FrontStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps & { settings: DeploymentSettings }) {
    super(scope, id, props);
    const { settings } = props;
    const { domain, waf } = settings;
    const apiHost = new CfnParameter(this, 'ApiHost', {
      type: 'String',
      allowedPattern: '^[a-z0-9]+\\.execute-api\\.[a-z0-9-]+\\.amazonaws\\.com$',
      description: 'Output ApiHost of the edge stack',
    });
    const webAcl = createWebAcl(this, settings);
    const named =
      domain !== undefined && waf?.certificateArn !== undefined
        ? {
            domainNames: [domain.name],
            certificate: Certificate.fromCertificateArn(this, 'Certificate', waf.certificateArn),
          }
        : {};
    const distribution = new Distribution(this, 'Distribution', {
      comment: `Hawser: ${settings.environment} of ${settings.organisation} in ${settings.region}`,
      ...named,
      minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
      httpVersion: HttpVersion.HTTP2_AND_3,
      webAclId: webAcl.attrArn,
      defaultBehavior: {
        origin: new HttpOrigin(apiHost.valueAsString, {
          protocolPolicy: OriginProtocolPolicy.HTTPS_ONLY,
          originSslProtocols: [OriginSslPolicy.TLS_V1_2],
        }),
        allowedMethods: AllowedMethods.ALLOW_ALL,
        // Answers belong to whoever asked: nothing is kept at the edge.
        cachePolicy: CachePolicy.CACHING_DISABLED,
        originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY,
      },
    });
    acknowledge(distribution, {
      'AwsSolutions-CFR1': 'Clusters and Git hosts are everywhere; who may ask is decided by what they can prove.',
      'AwsSolutions-CFR3': 'The WebACL logs every request that it looks at, and the HTTP API those that reach it.',
      ...(domain === undefined
        ? {
            'AwsSolutions-CFR4':
              "Without a name of its own it has CloudFront's, and CloudFront chooses the TLS versions of that.",
          }
        : {}),
    });
    new CfnOutput(this, 'Url', {
      value: domain === undefined ? `https://${distribution.distributionDomainName}` : `https://${domain.name}`,
    });
    new CfnOutput(this, 'DomainTarget', { value: distribution.distributionDomainName });
  }
}

/** AWS's list of bad addresses, and a bound for each address. No rule reads bodies: manifests look like attacks. */
function createWebAcl(stack: Stack, settings: DeploymentSettings): CfnWebACL {
  const { global: prefix } = namesOf(settings);
  const visibility = (name: string) => ({
    cloudWatchMetricsEnabled: true,
    sampledRequestsEnabled: false,
    metricName: `${prefix}-${name}`,
  });
  const managed = (name: string, priority: number) => ({
    name,
    priority,
    overrideAction: { none: {} },
    statement: { managedRuleGroupStatement: { vendorName: 'AWS', name } },
    visibilityConfig: visibility(name),
  });
  const webAcl = new CfnWebACL(stack, 'WebAcl', {
    name: prefix,
    scope: 'CLOUDFRONT',
    defaultAction: { allow: {} },
    visibilityConfig: visibility('web-acl'),
    rules: [
      {
        name: 'TooMany',
        priority: 0,
        action: { block: { customResponse: { responseCode: 429 } } },
        statement: {
          rateBasedStatement: { aggregateKeyType: 'IP', limit: settings.waf?.requestsPerFiveMinutes ?? 20_000 },
        },
        visibilityConfig: visibility('TooMany'),
      },
      managed('AWSManagedRulesAmazonIpReputationList', 1),
    ],
  });
  const log = logGroup(stack, 'WebAclLog', `aws-waf-logs-${prefix}`, settings.logDays);
  new CfnLoggingConfiguration(stack, 'WebAclLogging', {
    resourceArn: webAcl.attrArn,
    logDestinationConfigs: [
      stack.formatArn({
        service: 'logs',
        resource: 'log-group',
        resourceName: `aws-waf-logs-${prefix}`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    ],
    redactedFields: [
      { singleHeader: { Name: 'authorization' } },
      { singleHeader: { Name: 'cookie' } },
      { queryString: {} },
    ],
  }).node.addDependency(log);
  return webAcl;
}
