import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { ApplicationDetail } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { manifestsQuery } from '../../api/queries.ts';
import { CodeView } from '../../diff-view/code-view.tsx';
import { toJson, toYaml } from '../../diff-view/to-text.ts';
import { Empty } from '../../ui/empty.tsx';
import { counted } from '../../ui/format.ts';
import { QueryView } from '../../ui/query-view.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';

type Format = 'yaml' | 'json';

/** The application as it was declared, and the objects of its snapshot. */
export function ManifestTab({ app }: { app: ApplicationDetail }) {
  const [what, setWhat] = useState<'declared' | 'snapshot'>('declared');
  const [format, setFormat] = useState<Format>('yaml');
  return (
    <>
      <div className="tab-tools">
        <Segmented
          label="What"
          value={what}
          options={[
            ['declared', 'Declared'],
            ['snapshot', 'Snapshot'],
          ]}
          onChange={setWhat}
        />
        <Segmented<Format>
          label="Format"
          value={format}
          options={[
            ['yaml', 'YAML'],
            ['json', 'JSON'],
          ]}
          onChange={setFormat}
        />
      </div>
      {what === 'declared' ? <Declared app={app} format={format} /> : <Snapshot app={app} format={format} />}
    </>
  );
}

function Declared({ app, format }: { app: ApplicationDetail; format: Format }) {
  const text = useMemo(() => (format === 'yaml' ? toYaml(app.declared) : toJson(app.declared)), [app.declared, format]);
  return <CodeView text={text} label="the declared object with its status" />;
}

function Snapshot({ app, format }: { app: ApplicationDetail; format: Format }) {
  const query = useQuery(manifestsQuery(useApi(), app.id, app.desired?.generation));
  return (
    <QueryView query={query} loading={<SkeletonRows rows={12} label="Loading the snapshot" />}>
      {(manifests) => {
        if (manifests.objects.length === 0) return <Empty title="The snapshot holds no objects" />;
        const text = format === 'yaml' ? manifests.objects.map(toYaml).join('\n---\n') : toJson(manifests.objects);
        return (
          <>
            <p className="note">
              {counted(manifests.objects.length, 'object')} of generation{' '}
              <span className="num">{manifests.generation}</span>; the values of Secrets are masked.
            </p>
            <CodeView text={text} label="the objects of the snapshot" />
          </>
        );
      }}
    </QueryView>
  );
}
