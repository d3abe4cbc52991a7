import type { ApplicationDetail, ResourceDetail } from '#shared/messages/api.ts';
import { Time } from '../../ui/time.tsx';

/** The fields that differ, as the agent found them, and what has become of the drift. */
export function DriftFields({
  fields,
  drift,
}: {
  fields: ResourceDetail['differences'];
  drift: ApplicationDetail['drift'][number] | undefined;
}) {
  if (fields.length === 0 && drift === undefined) return null;
  const shown = fields.length > 0 ? fields : (drift?.fields ?? []);
  return (
    <div className="drift">
      {drift === undefined ? null : (
        <p className={drift.correctedAt === undefined ? 'warn' : 'muted'}>
          {drift.change === 'deleted' ? 'Deleted in the cluster' : 'Drift'}, seen <Time at={drift.seenAt} />
          {drift.correctedAt === undefined ? '' : ', corrected '}
          {drift.correctedAt === undefined ? null : <Time at={drift.correctedAt} />}
          {drift.note === undefined ? '' : `: ${drift.note}`}
        </p>
      )}
      {shown.length === 0 ? null : (
        <table className="table fields">
          <thead>
            <tr>
              <th scope="col">Field</th>
              <th scope="col">Live</th>
              <th scope="col">Desired</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((field) => (
              <tr key={field.path}>
                <th scope="row" className="mono wrap">
                  {field.path}
                </th>
                <td className="mono wrap">{field.live ?? <span className="muted">absent</span>}</td>
                <td className="mono wrap">{field.desired ?? <span className="muted">absent</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
