// Control characters, and the invisible ones that change the direction of what follows: a name in Git must not be able to
// move the cursor, recolour the terminal or show something else than it is (NT-135).
// oxlint-disable-next-line no-control-regex
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text from the service for one line: line breaks and tabs become spaces, other control characters become visible. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\t]+/g, ' ').replaceAll(unsafe, visible);
}

/** Text from the service that keeps its lines (and tabs). */
export function manyLines(text: string): string {
  return text.replaceAll(unsafe, (character) =>
    character === '\n' || character === '\t' ? character : visible(character),
  );
}

/** JSON text in which no control character is left as it is; still the same JSON. */
export function safeJson(text: string): string {
  return text.replaceAll(unsafe, (character) => (character === '\n' ? character : visible(character)));
}

/** Whether a text holds anything that these functions change, line breaks and tabs aside. */
export function isUnsafe(text: string): boolean {
  return manyLines(text) !== text;
}

function visible(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
