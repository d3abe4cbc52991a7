/**
 * Shell patterns of variable trims: `*`, `?`, `[a-z]`, `[^a-z]`, `\` before a character, as Flux's envsubst matches them
 * (`*` and `?` match slashes too). The pattern must match the whole text. undefined for a malformed pattern.
 * Backtracks over the last star only, so the time is bounded by pattern × text (NT-74).
 */
export function matchesPattern(pattern: string, text: string): boolean | undefined {
  const tokens = tokenize(pattern);
  if (tokens === undefined) return undefined;
  const characters = Array.from(text);
  let at = 0;
  let token = 0;
  let star = -1;
  let resume = 0;
  while (at < characters.length) {
    const current = tokens[token];
    if (current === '*') {
      star = token;
      resume = at;
      token += 1;
    } else if (current?.(characters[at] ?? '') === true) {
      at += 1;
      token += 1;
    } else if (star >= 0) {
      resume += 1;
      at = resume;
      token = star + 1;
    } else return false;
  }
  while (tokens[token] === '*') token += 1;
  return token === tokens.length;
}

type Token = '*' | ((character: string) => boolean);

function tokenize(pattern: string): Token[] | undefined {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '*') tokens.push('*');
    else if (character === '?') tokens.push(() => true);
    else if (character === '[') {
      const parsed = parseClass(characters, at + 1);
      if (parsed === undefined) return undefined;
      tokens.push(parsed.test);
      at = parsed.end;
    } else {
      const literal = character === '\\' ? characters[(at += 1)] : character;
      if (literal === undefined) return undefined;
      tokens.push((other) => other === literal);
    }
  }
  return tokens;
}

/** A class from after its `[`; `end` is where its `]` is. */
function parseClass(
  characters: string[],
  start: number,
): { test: (character: string) => boolean; end: number } | undefined {
  const isNegated = characters[start] === '^';
  const ranges: [string, string][] = [];
  let at = isNegated ? start + 1 : start;
  const take = (): string | undefined => {
    const character = characters[at];
    if (character === undefined || character === '-' || character === ']') return undefined;
    at += character === '\\' ? 2 : 1;
    return character === '\\' ? characters[at - 1] : character;
  };
  while (!(characters[at] === ']' && ranges.length > 0)) {
    const low = take();
    if (low === undefined) return undefined;
    let high: string | undefined = low;
    if (characters[at] === '-') {
      at += 1;
      high = take();
    }
    if (high === undefined || at >= characters.length) return undefined;
    ranges.push([low, high]);
  }
  return {
    test: (character) => ranges.some(([low, high]) => low <= character && character <= high) !== isNegated,
    end: at,
  };
}
