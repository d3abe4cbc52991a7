import { stripVTControlCharacters } from 'node:util';
import type { Colour, Shade } from './colour.ts';
import { oneLine } from './escape.ts';

export interface Cell {
  text: string;
  shade?: Shade;
}

export interface Column<Row> {
  header: string;
  of(row: Row): string | number | Cell | undefined;
  /** Only with `-o wide`. */
  wide?: boolean;
  /** Is cut where the terminal is too narrow. */
  flexible?: boolean;
}

export interface TableOptions {
  colour: Colour;
  wide?: boolean;
  /** Width of the terminal; undefined: nothing is cut. */
  width?: number | undefined;
  noHeader?: boolean;
}

const gap = 3;

/** Borderless columns as kubectl prints them; ends with a line break. Every cell is escaped. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], options: TableOptions): string {
  const shown = columns.filter((column) => column.wide !== true || options.wide === true);
  const cells = rows.map((row) => shown.map((column) => toCell(column.of(row))));
  const header = options.noHeader === true ? [] : [shown.map(({ header: text }): Cell => ({ text }))];
  const all = [...header, ...cells];
  const widths = shown.map((_, index) => Math.max(0, ...all.map((line) => displayWidth(line[index]?.text ?? ''))));
  shrink(widths, shown, options);
  return all.map((line) => lineOf(line, widths, options.colour)).join('');
}

/** Columns that a terminal needs for this text. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += widthOf(character);
  return width;
}

/** The text cut to so many columns, with `…` where something is missing. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let result = '';
  let used = 1;
  for (const character of text) {
    used += widthOf(character);
    if (used > width) break;
    result += character;
  }
  return `${result}…`;
}

function shrink<Row>(widths: number[], columns: readonly Column<Row>[], options: TableOptions): void {
  if (options.width === undefined || options.wide === true) return;
  let excess = widths.reduce((sum, width) => sum + width + gap, -gap) - options.width;
  columns.forEach((column, index) => {
    if (column.flexible !== true || excess <= 0) return;
    const width = widths[index] ?? 0;
    const least = Math.min(width, 12);
    const reduced = Math.max(least, width - excess);
    excess -= width - reduced;
    widths[index] = reduced;
  });
}

function lineOf(line: readonly Cell[], widths: readonly number[], colour: Colour): string {
  const texts = line.map(({ text, shade }, index) => {
    const width = widths[index] ?? 0;
    const shown = cut(text, width);
    const padding = index === line.length - 1 ? '' : ' '.repeat(width - displayWidth(shown) + gap);
    return `${colour.paint(shade ?? 'plain', shown)}${padding}`;
  });
  return `${texts.join('').trimEnd()}\n`;
}

function toCell(value: string | number | Cell | undefined): Cell {
  const cell = typeof value === 'object' ? value : { text: value === undefined ? '' : String(value) };
  const text = oneLine(cell.text);
  return { ...cell, text: text === '' ? '-' : text };
}

const wideCharacter =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const noWidth = /\p{M}|\u200b|\u200c|\u200d/u;

function widthOf(character: string): number {
  if (character < '\u0300') return 1;
  if (noWidth.test(character)) return 0;
  return wideCharacter.test(character) ? 2 : 1;
}
