// One line that a server sends, and what follows it: where its parts lie in the bytes.
//
//   MSG <subject> <subscription> [<reply>] <bytes>                       and the bytes, and the end of another line
//   HMSG <subject> <subscription> [<reply>] <bytes of headers> <bytes>   the same; the headers come first
//   INFO …, PING, PONG, +OK, -ERR …                                      nothing follows

const SPACE = ' '.charCodeAt(0);
const LINE_FEED = '\n'.charCodeAt(0);
const CARRIAGE_RETURN = '\r'.charCodeAt(0);
const ZERO = '0'.charCodeAt(0);
const NINE = '9'.charCodeAt(0);
const M = 'M'.charCodeAt(0);
const H = 'H'.charCodeAt(0);
const OTHERS = new Set(Buffer.from('IP+-'));
const LINE_END_BYTES = 2;
const MOST_TOKENS = 6;
/** As the client has it. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Read into again and again: a message would have an object more. */
export class Line {
  /** Where all of it ends; beyond the bytes: more is to come. */
  end = 0;
  hasReply = false;
  /** The client's number of it. */
  subscription = 0;
  subjectAt = 0;
  subjectEnd = 0;
  replyAt = 0;
  replyEnd = 0;
  dataAt = 0;
  dataEnd = 0;
  /** Where the tokens of a message's line begin, and one more: where the next would. */
  readonly #tokens = new Int32Array(MOST_TOKENS + 1);
  #count = 0;

  /** False: it is no line that is known here. */
  read(bytes: Buffer, at: number): boolean {
    const first = bytes[at] as number;
    const isMessage = first === M || first === H;
    if (!isMessage && !OTHERS.has(first)) return false;
    this.hasReply = false;
    const lineEnd = this.#split(bytes, at);
    this.end = lineEnd;
    if (!isMessage || lineEnd > bytes.length) return true;
    const isPlain = first === M;
    const count = this.#count - (isPlain ? 4 : 5);
    if (count !== 0 && count !== 1) return false;
    this.hasReply = count === 1;
    const size = this.#number(bytes, this.#count - 1);
    const headerBytes = isPlain ? 0 : this.#number(bytes, this.#count - 2);
    this.subscription = this.#number(bytes, 2);
    if (!(headerBytes <= size && size <= MOST_BYTES && this.subscription >= 0)) return false;
    const tokens = this.#tokens;
    this.subjectAt = tokens[1] as number;
    this.subjectEnd = (tokens[2] as number) - 1;
    this.replyAt = tokens[3] as number;
    this.replyEnd = (tokens[4] as number) - 1;
    if (this.hasReply && this.replyEnd === this.replyAt) return false;
    this.dataAt = lineEnd + headerBytes;
    this.dataEnd = lineEnd + size;
    this.end = this.dataEnd + LINE_END_BYTES;
    return true;
  }

  /** Returns where the line ends that begins here: beyond the bytes, if its end is still to come. */
  #split(bytes: Buffer, start: number): number {
    const tokens = this.#tokens;
    let count = 0;
    tokens[count++] = start;
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === SPACE && count < MOST_TOKENS) tokens[count++] = at + 1;
      else if (byte === LINE_FEED) {
        // As if a space stood in the place of the carriage return.
        tokens[count] = at;
        this.#count = bytes[at - 1] === CARRIAGE_RETURN ? count : 0;
        return at + 1;
      }
    }
    return bytes.length + 1;
  }

  /** NaN: the token is none. */
  #number(bytes: Buffer, token: number): number {
    const start = this.#tokens[token] as number;
    const end = (this.#tokens[token + 1] as number) - 1;
    let number = end > start ? 0 : Number.NaN;
    for (let at = start; at < end; at++) {
      const digit = bytes[at] as number;
      number = digit >= ZERO && digit <= NINE ? number * 10 + digit - ZERO : Number.NaN;
    }
    return number;
  }
}
