// Ways to damage a log folder, chosen by chance.
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

type Random = () => number;

const below = (random: Random, limit: number): number => Math.floor(random() * limit);

const WAYS: Readonly<Record<string, (file: string, folder: string, random: Random) => void>> = {
  'flip bits': (file, _folder, random) => {
    const bytes = readFileSync(file);
    for (let n = below(random, 3); n >= 0 && bytes.length > 0; n--) {
      const at = below(random, bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << below(random, 8));
    }
    writeFileSync(file, bytes);
  },
  truncate: (file, _folder, random) => truncateSync(file, below(random, statSync(file).size + 1)),
  'delete a line': (file, _folder, random) => {
    const lines = readFileSync(file).toString('latin1').split('\n');
    lines.splice(below(random, lines.length), 1);
    writeFileSync(file, lines.join('\n'), 'latin1');
  },
  'cut a piece out': (file, _folder, random) => {
    const bytes = readFileSync(file);
    const from = below(random, bytes.length + 1);
    writeFileSync(file, Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + below(random, 300))]));
  },
  'put garbage in': (file, _folder, random) => {
    const bytes = readFileSync(file);
    const at = below(random, bytes.length + 1);
    const garbage = Buffer.from(Array.from({ length: below(random, 200) }, () => below(random, 256)));
    writeFileSync(file, Buffer.concat([bytes.subarray(0, at), garbage, bytes.subarray(at)]));
  },
  'double a line': (file, _folder, random) => {
    const lines = readFileSync(file).toString('latin1').split('\n');
    const line = lines[below(random, lines.length)] ?? '';
    appendFileSync(file, `${line}\n`, 'latin1');
  },
  empty: (file) => writeFileSync(file, ''),
  delete: (file) => rmSync(file),
  'a folder in its place': (file) => {
    rmSync(file);
    mkdirSync(join(file, 'within'), { recursive: true });
  },
  'a link in its place': (file) => {
    rmSync(file);
    symlinkSync('/etc/hostname', file);
  },
  'a foreign file': (_file, folder, random) => {
    const names = [
      'dlq_20200101T000000000Z_0.json',
      'dlq_x.json',
      'notes.txt',
      'dlq_20990101T000000000Z_7.json',
      '.tmp',
    ];
    writeFileSync(join(folder, names[below(random, names.length)] as string), '{"error_id":"forged"}\n\u0000\u0001');
  },
  'a foreign folder': (_file, folder, random) => {
    const names = ['dlq_20200101T000000000Z_1.json', 'dlq_20990101T000000000Z_9.json', 'x.corrupt', 'x.json.tmp'];
    mkdirSync(join(folder, names[below(random, names.length)] as string), { recursive: true });
  },
  'a folder where the damage would go': (file) => mkdirSync(`${file}.corrupt`, { recursive: true }),
  'a copy under a later name': (file, folder) => {
    if (file.includes('dlq_')) copyFileSync(file, join(folder, 'dlq_20300101T000000000Z_3.json'));
  },
  'an unfinished repair': (file, _folder, random) => {
    const bytes = readFileSync(file);
    writeFileSync(`${file}.tmp`, bytes.subarray(0, below(random, bytes.length + 1)));
  },
};

/** Damages one file, or adds one. Returns what was done, in words. */
export function damage(folder: string, random: Random): string {
  const names = Object.keys(WAYS);
  const way = names[below(random, names.length)] as string;
  // Letters matter most.
  const inLetters = random() < 0.75;
  const place = inLetters ? join(folder, 'dead_letter') : folder;
  const files = readdirSync(place, { withFileTypes: true }).filter((entry) => entry.isFile());
  const file = files[below(random, files.length)]?.name;
  if (file === undefined) return 'nothing';
  (WAYS[way] as (typeof WAYS)[string])(join(place, file), place, random);
  return `${way}: ${file}`;
}
