// Finds secrets in a text of any origin, in time linear in its length.
import { AFTER_STEM, SECRET_STEMS } from './secret-names.js';

export const REDACTED = '[redacted]';

/** Nothing below finds anything in a text without one of these: most texts need one look instead of five. */
const SUSPICIOUS = /[:=<]|["'],|eyJ|bearer\s|basic\s|-----BEGIN/i;

/**
 * What each begins with, for looking for that is quicker; what it looks like; what stands for it. Each is linear:
 * repetitions neither nest nor overlap, and none can fail after a long run. A missing end takes the rest.
 */
const SECRET_SHAPES: readonly (readonly [string, RegExp, string])[] = [
  [
    '-----BEGIN ',
    /-----BEGIN (?![A-Z0-9 ]{0,40}PUBLIC)[A-Z0-9 ]{0,40}KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,60}-----|$)/g,
    REDACTED,
  ],
  // A cut one may have lost its last parts.
  ['eyJ', /(?<![\w-])eyJ[\w-]{5,}(?:\.[\w-]*){1,4}/g, REDACTED],
  // Of a URL that was signed.
  ['ig', /([?&](?:X-Amz-Signature|X-Goog-Signature|sig)=)[\w%+/=-]+/gi, `$1${REDACTED}`],
  ['', /\b(bearer|basic)(\s+\\{0,255}["']?)[\w.~+/=-]{8,}/gi, `$1$2${REDACTED}`],
];

/** From a scheme to the next white space. `file:///` has no user. */
const URL_REST = /:(?:\\?\/){2}(?!\\?\/)\S+/g;
/** Without a user and a port: an `@` behind its path belongs there. */
const BARE_HOST = /^[\w-]+(?:\.[\w-]+)+$/;

/** A name and what divides it from its value: `=`, `:`, `=>`, `>` in XML; `,` in a list, where the name is quoted. */
const FIELD = new RegExp(
  String.raw`(${SECRET_STEMS})${AFTER_STEM}(?:(\\{0,255}["']\]?)?\s{0,4}(?:=>|[=:])|\\{0,255}["']\s{0,4},(?:\s{0,4}\\{0,255}["']?value\\{0,255}["']?\s{0,4}[:=]|(?=\s{0,4}\\{0,255}["']))|(>|\s[^<>]{0,200}>))\s{0,4}`,
  'gi',
);
/** As headers, their values are lines, with quotes and semicolons of their own. */
const HEADER = /^(?:authorization|cookie)$/i;
const LINE_END = /[\r\n]|$/g;
const BARE_END = /[\s,;&"']|$/g;
const LONGEST_ELEMENT = 64;

/** The text without secrets: credentials in URLs, bearer tokens, JWTs, private keys, and the values of secret names. */
export function withoutSecrets(text: string): string {
  if (!SUSPICIOUS.test(text)) return text;
  let output = text;
  for (const [start, shape, replacement] of SECRET_SHAPES)
    if (output.includes(start)) output = output.replace(shape, replacement);
  if (output.includes('@')) output = output.replace(URL_REST, withoutUser);
  return withoutFields(output);
}

/** @param rest of a URL, from the colon behind its scheme; a password may have any character but white space */
function withoutUser(rest: string): string {
  const at = rest.lastIndexOf('@');
  if (at === -1) return rest;
  const start = rest.lastIndexOf('/', rest[1] === '\\' ? 4 : 2) + 1;
  const authority = rest.slice(start).search(/[/?#]/);
  if (authority !== -1 && BARE_HOST.test(rest.slice(start, start + authority))) return rest;
  return `${rest.slice(0, start)}${REDACTED}${rest.slice(at)}`;
}

function withoutFields(text: string): string {
  let output = '';
  let done = 0;
  FIELD.lastIndex = 0;
  for (let found = FIELD.exec(text); found !== null; found = FIELD.exec(text)) {
    const start = FIELD.lastIndex;
    const end = endOfField(text, found, start);
    if (end === start) {
      // What looked like the rest of a tag may hold another name.
      FIELD.lastIndex = found.index + (found[1] as string).length;
      continue;
    }
    output += text.slice(done, start) + REDACTED;
    done = end;
    FIELD.lastIndex = end;
  }
  return output + text.slice(done);
}

/** Where the value ends that begins at `start`; `start` when there is none. */
function endOfField(text: string, found: RegExpExecArray, start: number): number {
  const [all, stem = '', quote, closesTag] = found;
  if (closesTag !== undefined) return endOfElement(text, found.index, start);
  const isHeader = HEADER.test(stem) && all.trimEnd().endsWith(':');
  if (isHeader && quote === undefined) return next(LINE_END, text, start);
  return endOfValue(text, start, isHeader ? LINE_END : BARE_END);
}

/** Of quoted text of any depth of escapes, of a list or object, or of a bare word. */
function endOfValue(text: string, start: number, bareEnd: RegExp): number {
  const first = text[start];
  if (first === '[' || first === '{') return endOfBrackets(text, start);
  const escapes = backslashesAt(text, start);
  const quote = text[start + escapes];
  if (quote === '"' || quote === "'") return endOfQuoted(text, start + escapes + 1, quote, escapes);
  return next(bareEnd, text, start);
}

/**
 * A quote within JSON that was made a text n times stands behind 2^n - 1 backslashes, a backslash of its content as
 * 2^(n + 1): so one quote closes another when their backslashes are as many, but for multiples of that.
 */
function endOfQuoted(text: string, start: number, quote: string, escapes: number): number {
  for (let at = text.indexOf(quote, start); at !== -1; at = text.indexOf(quote, at + 1)) {
    if (backslashesBefore(text, at, start) % (2 * (escapes + 1)) === escapes) return at + 1;
  }
  return text.length;
}

/** Brackets within quotes do not count. */
function endOfBrackets(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '[' || character === '{') depth++;
    else if ((character === ']' || character === '}') && --depth === 0) return at + 1;
    else if (character === '"' || character === "'")
      at = endOfQuoted(text, at + 1, character, backslashesBefore(text, at, start)) - 1;
  }
  return text.length;
}

/** Of `<password>…</password>`; `start` when the name is none of an element. */
function endOfElement(text: string, stem: number, start: number): number {
  const name = /<([\w:.-]*)$/.exec(text.slice(Math.max(0, stem - LONGEST_ELEMENT), stem));
  if (name === null) return start;
  const opening = text.slice(stem - (name[1] as string).length, start);
  const close = text.indexOf(`</${/^[\w:.-]+/.exec(opening)?.[0]}`, start);
  return close === -1 ? text.length : close;
}

function backslashesAt(text: string, start: number): number {
  let end = start;
  while (text[end] === '\\') end++;
  return end - start;
}

function backslashesBefore(text: string, end: number, least: number): number {
  let start = end;
  while (start > least && text[start - 1] === '\\') start--;
  return end - start;
}

function next(end: RegExp, text: string, start: number): number {
  end.lastIndex = start;
  return end.exec(text)?.index ?? text.length;
}
