import { Dialog } from '../ui/dialog.tsx';

const groups: readonly { title: string; keys: readonly (readonly [keys: string, what: string])[] }[] = [
  {
    title: 'Everywhere',
    keys: [
      ['g a', 'Applications'],
      ['g c', 'Clusters'],
      ['g r', 'Repositories'],
      ['?', 'This help'],
      ['Esc', 'Close what is open'],
    ],
  },
  {
    title: 'Lists and trees',
    keys: [
      ['/', 'Search'],
      ['j  ↓', 'Next row'],
      ['k  ↑', 'Previous row'],
      ['Enter', 'Open the row'],
      ['←  →', 'Fold and unfold in the tree'],
    ],
  },
  {
    title: 'Application',
    keys: [
      ['s', 'Sync…'],
      ['r', 'Refresh'],
      ['1 … 5', 'Resources, Diff, Events, History, Manifest'],
    ],
  },
];

export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose} wide>
      <div className="shortcuts">
        {groups.map((group) => (
          <div key={group.title}>
            <h3>{group.title}</h3>
            <dl>
              {group.keys.map(([keys, what]) => (
                <div key={keys}>
                  <dt>
                    {keys.split('  ').map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </div>
        ))}
      </div>
    </Dialog>
  );
}
