import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** The colours of `tokens.css` as `[light, dark]`; one value counts for both. */
const tokens = new Map(
  [
    ...readFileSync(new URL('../../../dashboard/styles/tokens.css', import.meta.url), 'utf8').matchAll(
      /--([a-z-]+): (?:light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)|(#[0-9a-f]{6}));/g,
    ),
  ].map(([, name = '', light = '', dark = '', one]) => [name, [one ?? light, one ?? dark]] as const),
);

const grounds = ['ground', 'raised', 'sunken', 'hover', 'chosen', 'warn-tint', 'bad-tint', 'info-tint'];
const pairs: (readonly [text: string, ground: string])[] = [
  ...['text', 'text-muted', 'accent', 'warn', 'bad'].flatMap((text) =>
    grounds.map((ground) => [text, ground] as const),
  ),
  ...['added-tint', 'removed-tint', 'added-mark', 'removed-mark'].map((ground) => ['text', ground] as const),
  ['on-accent', 'accent-ground'],
  ['on-accent', 'accent-ground-hover'],
  ['on-accent', 'bad-ground'],
];

/** Contrast of two colours as WCAG 2.2 defines it, 1 … 21. */
function contrast(one: string, other: string): number {
  const luminance = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

describe('the colours', () => {
  it('have a contrast of at least 4.5 as text on every ground they come on, light and dark', () => {
    const faint = pairs.flatMap(([text, ground]) =>
      ['light', 'dark'].flatMap((scheme, index) => {
        const ratio = contrast(tokens.get(text)?.[index] ?? '', tokens.get(ground)?.[index] ?? '');
        return ratio >= 4.5 ? [] : [`--${text} on --${ground}, ${scheme}: ${ratio.toFixed(2)}`];
      }),
    );
    expect(faint).toEqual([]);
  });

  it('of icons have at least 3 on the grounds that they come on', () => {
    const faint = ['good', 'busy', 'warn', 'bad', 'quiet'].flatMap((icon) =>
      grounds.flatMap((ground) =>
        [0, 1]
          .filter((index) => !(contrast(tokens.get(icon)?.[index] ?? '', tokens.get(ground)?.[index] ?? '') >= 3))
          .map((index) => `${icon} on ${ground} ${index}`),
      ),
    );
    expect(faint).toEqual([]);
  });

  it('are measured as the rule says', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
    expect(contrast('', '#ffffff')).toBeNaN();
  });
});
