import { Link } from 'wouter';
import { applicationsPath } from '../paths.ts';
import { Empty } from '../ui/empty.tsx';

export function NotFoundPage() {
  return (
    <main className="page">
      <Empty title="There is no page at this address">
        <p>
          <Link href={applicationsPath()}>All applications</Link>
        </p>
      </Empty>
    </main>
  );
}
