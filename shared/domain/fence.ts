import picomatch from 'picomatch';
import type { Application } from './application.ts';
import type { ObjectId } from './kube-object.ts';
import type { KindRule, Project } from './project.ts';

/** Bumped when a rule of the fence changes: part of every input digest (NT-160). */
export const policyVersion = '1';

/** Why a project does not let an application be, in Argo CD's words (argo-cd.md §2.3, §2.10); empty when it does. */
export function applicationViolations(
  project: Project,
  application: Application,
  servers: readonly string[],
): string[] {
  const violations: string[] = [];
  for (const source of application.sources) {
    if (!permitsSource(project, source.url)) {
      violations.push(`application repo ${source.url} is not permitted in project '${project.name}'`);
    }
  }
  if (!permitsDestination(project, application.cluster, servers, application.destinationNamespace)) {
    violations.push(
      `application destination cluster '${application.cluster}' and namespace '${application.destinationNamespace}' do not match any of the allowed destinations in project '${project.name}'`,
    );
  }
  return violations;
}

/** Why one object of an application may not be applied; undefined when it may. `namespaced` is how the cluster serves its kind. */
export function objectViolation(
  project: Project,
  cluster: string,
  servers: readonly string[],
  id: ObjectId,
  namespaced: boolean,
): string | undefined {
  if (isOurOwn(id)) return `${id.kind} ${id.name} belongs to Hawser itself and cannot be managed by an application`;
  if (!permitsKind(project, id, namespaced)) {
    return `resource ${id.group}:${id.kind} is not permitted in project ${project.name}`;
  }
  if (namespaced && !permitsDestination(project, cluster, servers, id.namespace)) {
    return `namespace ${id.namespace} is not permitted in project '${project.name}'`;
  }
  return undefined;
}

/** The agent's namespace and what lies in it (NT-108). */
function isOurOwn(id: ObjectId): boolean {
  return (
    id.namespace === 'hawser-system' || (id.kind === 'Namespace' && id.group === '' && id.name === 'hawser-system')
  );
}

function permitsSource(project: Project, url: string): boolean {
  const matches = (pattern: string) => pattern === '*' || picomatch.isMatch(url, pattern, { dot: true, nocase: true });
  const denied = project.sourceRepos.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1)));
  return !denied && project.sourceRepos.some((pattern) => !pattern.startsWith('!') && matches(pattern));
}

function permitsDestination(project: Project, cluster: string, servers: readonly string[], namespace: string): boolean {
  const fits = (destination: Project['destinations'][number]) => {
    const byServer =
      destination.server !== undefined && servers.some((server) => globMatches(destination.server ?? '', server));
    const byName = destination.name !== undefined && globMatches(destination.name, cluster);
    // An application without a namespace of its own names it per object; each object is checked by itself.
    return (byServer || byName) && (namespace === '' || globMatches(destination.namespace ?? '*', namespace));
  };
  const strip = (destination: Project['destinations'][number]) => ({
    ...destination,
    ...(destination.server === undefined ? {} : { server: destination.server.replace(/^!/, '') }),
    ...(destination.namespace === undefined ? {} : { namespace: destination.namespace.replace(/^!/, '') }),
  });
  const isDeny = (destination: Project['destinations'][number]) =>
    destination.server?.startsWith('!') === true || destination.namespace?.startsWith('!') === true;
  if (project.destinations.some((destination) => isDeny(destination) && fits(strip(destination)))) return false;
  return project.destinations.some((destination) => !isDeny(destination) && fits(destination));
}

function permitsKind(project: Project, id: ObjectId, namespaced: boolean): boolean {
  const listed = (rules: KindRule[] | undefined) =>
    (rules ?? []).some(
      (rule) =>
        globMatches(rule.group, id.group) && globMatches(rule.kind, id.kind) && globMatches(rule.name ?? '*', id.name),
    );
  if (namespaced) {
    if (listed(project.namespaceResourceBlacklist)) return false;
    return project.namespaceResourceWhitelist === undefined || listed(project.namespaceResourceWhitelist);
  }
  return !listed(project.clusterResourceBlacklist) && listed(project.clusterResourceWhitelist);
}

/** Argo CD's glob for these fields has no separator: `*` crosses everything. */
function globMatches(pattern: string, value: string): boolean {
  if (pattern === '*' || pattern === value) return true;
  if (pattern === '' || pattern.length > 256) return false;
  return picomatch.isMatch(value.replaceAll('/', '\u0001'), pattern.replaceAll('/', '\u0001'), {
    dot: true,
    bash: true,
  });
}
