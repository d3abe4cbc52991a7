import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import {
  ApiMapping,
  CfnStage,
  DomainName,
  HttpApi,
  HttpMethod,
  HttpRoute,
  HttpRouteKey,
  HttpStage,
  LogGroupLogDestination,
  SecurityPolicy,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { ARecord, HostedZone, RecordTarget } from 'aws-cdk-lib/aws-route53';
import { ApiGatewayv2DomainProperties } from 'aws-cdk-lib/aws-route53-targets';
import type { Construct } from 'constructs';
import { acknowledge, logGroup } from './construct-kit.ts';
import { functions, throttling } from './functions.ts';
import { arnsOf, namesOf } from './names.ts';
import { idOf } from './queues.ts';
import type { DeploymentSettings } from './settings.ts';

/** What is written of a request: who, what, how it went. No header, no body, no query, which may hold secrets. */
const accessLog = {
  requestId: '$context.requestId',
  at: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  route: '$context.routeKey',
  path: '$context.path',
  status: '$context.status',
  bytes: '$context.responseLength',
  milliseconds: '$context.responseLatency',
  error: '$context.error.message',
  integrationError: '$context.integrationErrorMessage',
};

/** The HTTP API in front of the functions, and its name. */
export class EdgeStack extends Stack {
  readonly apiId: string;

  constructor(scope: Construct, id: string, props: StackProps & { settings: DeploymentSettings }) {
    super(scope, id, props);
    const { settings } = props;
    const { prefix } = namesOf(settings);
    const { domain } = settings;
    const api = new HttpApi(this, 'Api', {
      apiName: prefix,
      description: `Hawser: ${settings.environment} of ${settings.organisation}`,
      createDefaultStage: false,
      // With a name of its own, or with CloudFront before it that goes there, nobody needs the other one.
      disableExecuteApiEndpoint: domain !== undefined && settings.waf === undefined,
    });
    const routes = createRoutes(this, api, settings);
    const stage = createStage(this, api, settings);
    for (const route of routes) stage.node.addDependency(route);
    if (domain !== undefined && settings.waf === undefined) createDomain(this, stage, domain);
    this.apiId = api.apiId;
    new CfnOutput(this, 'ApiHost', { value: `${api.apiId}.execute-api.${this.region}.${this.urlSuffix}` });
    new CfnOutput(this, 'Url', {
      value: domain === undefined ? api.apiEndpoint : `https://${domain.name}`,
    });
  }
}

/** One integration for each function, one route for each of its own. */
function createRoutes(stack: Stack, api: HttpApi, settings: DeploymentSettings): HttpRoute[] {
  const arns = arnsOf({ ...settings, account: stack.account });
  return functions.flatMap(({ name, trigger }) => {
    if (trigger.routes === undefined) return [];
    const target = LambdaFunction.fromFunctionAttributes(stack, `${idOf(name)}Function`, {
      functionArn: arns.function(name),
      sameEnvironment: true,
    });
    const integration = new HttpLambdaIntegration(`${idOf(name)}Integration`, target, {
      timeout: Duration.seconds(29),
    });
    return trigger.routes.map((key, index) => {
      const route = new HttpRoute(stack, `${idOf(name)}Route${index}`, {
        httpApi: api,
        integration,
        routeKey: keyOf(key),
      });
      acknowledge(route, {
        'AwsSolutions-APIG4':
          'The functions authenticate: webhooks by signature, agents by ServiceAccount token or bearer, people by token or session. An authorizer would be a second place for the same rules.',
      });
      return route;
    });
  });
}

/** `POST /path` as CDK takes it. */
function keyOf(key: string): HttpRouteKey {
  const [method = '', path = ''] = key.split(' ');
  return HttpRouteKey.with(path, method as HttpMethod);
}

/** The stage that has no name in addresses: limits for each route, an access log, and metrics of their own for webhooks (each costs). */
function createStage(stack: Stack, api: HttpApi, settings: DeploymentSettings): HttpStage {
  const made = new HttpStage(stack, 'Stage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    detailedMetricsEnabled: false,
    throttle: { rateLimit: throttling.others.rate, burstLimit: throttling.others.burst },
    accessLogSettings: {
      destination: new LogGroupLogDestination(
        logGroup(stack, 'AccessLog', namesOf(settings).logGroup('access'), settings.logDays),
      ),
      format: AccessLogFormat.custom(JSON.stringify(accessLog)),
    },
  });
  const cfn = made.node.defaultChild;
  if (cfn instanceof CfnStage) {
    cfn.routeSettings = Object.fromEntries(
      Object.entries(throttling.routes).map(([route, { rate, burst }]) => [
        route,
        {
          ThrottlingRateLimit: rate,
          ThrottlingBurstLimit: burst,
          DetailedMetricsEnabled: route.includes('/webhooks/'),
        },
      ]),
    );
  }
  return made;
}

function createDomain(stack: Stack, stage: HttpStage, domain: NonNullable<DeploymentSettings['domain']>): void {
  const name = new DomainName(stack, 'Domain', {
    domainName: domain.name,
    certificate: Certificate.fromCertificateArn(stack, 'Certificate', domain.certificateArn),
    securityPolicy: SecurityPolicy.TLS_1_2,
  });
  new ApiMapping(stack, 'Mapping', { api: stage.api, domainName: name, stage });
  new CfnOutput(stack, 'DomainTarget', { value: name.regionalDomainName });
  if (domain.zone === undefined) return;
  new ARecord(stack, 'Address', {
    zone: HostedZone.fromHostedZoneAttributes(stack, 'Zone', {
      hostedZoneId: domain.zone.id,
      zoneName: domain.zone.name,
    }),
    recordName: domain.name,
    target: RecordTarget.fromAlias(
      new ApiGatewayv2DomainProperties(name.regionalDomainName, name.regionalHostedZoneId),
    ),
  });
}
