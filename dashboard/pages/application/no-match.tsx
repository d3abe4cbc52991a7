import { Button } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';

export function NoMatch({ onClear }: { onClear: () => void }) {
  return (
    <Empty title="No resource matches">
      <Button onClick={onClear}>Clear the filter</Button>
    </Empty>
  );
}
